/**
 * Panels as Grafana draws them: real transformations and field overrides (@grafana/data), the real table (@grafana/ui). What
 * Grafana's own start does around them (themes, registries) is done here.
 */
import { applyFieldOverrides, createTheme, FieldConfigOptionsRegistry, standardTransformers, standardTransformersRegistry, ThemeContext, toDataFrame, transformDataFrame } from '@grafana/data';
import { TableNG } from '@grafana/ui/unstable';
import '@grafana/react-data-grid/lib/styles.css';
import { createRoot } from 'react-dom/client';
import { firstValueFrom } from 'rxjs';

const theme = createTheme({ colors: { mode: 'dark' } });
// Some stand there under two names.
const transformations = new Map(Object.values(standardTransformers).map((transformation) => [transformation.id, transformation]));
standardTransformersRegistry.setInit(() => [...transformations.values()].map((transformation) => ({ id: transformation.id, name: transformation.name, transformation: () => Promise.resolve(transformation), editor: null })));

/** Every property that the panel sets, or it would be passed over. */
const registryOf = ({ defaults, overrides }) => {
  const own = Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`);
  const ids = [...new Set([...own, ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id))])];
  return new FieldConfigOptionsRegistry(() =>
    ids.map((id) => ({ id, path: id.replace(/^custom\./, ''), isCustom: id.startsWith('custom.'), name: id, process: (value) => value, shouldApply: () => true, settings: {} })),
  );
};

async function frameOf({ panel, results }) {
  const frames = results.map(({ refId, fields }) => toDataFrame({ refId, fields }));
  const transformed = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  return applyFieldOverrides({ data: transformed, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registryOf(panel.fieldConfig), replaceVariables: (text) => text, theme, timeZone: 'utc' })[0];
}

const WIDTH = 620;

function Panel({ title, frame, height }) {
  return (
    <section style={{ width: WIDTH, height: height + 40, margin: 8, overflow: 'hidden', background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}` }}>
      <h2 style={{ font: '500 14px Inter, sans-serif', margin: 8 }}>{title}</h2>
      {frame === undefined || frame.fields.length === 0 ? (
        <p style={{ margin: 8 }}>No data</p>
      ) : (
        <TableNG data={frame} width={WIDTH} height={height} noHeader={true} showTypeIcons={false} enableVirtualization={false} cellHeight="sm" structureRev={1} timeRange={undefined} getActions={() => []} transparent={true} />
      )}
    </section>
  );
}

async function draw() {
  const variants = JSON.parse(document.getElementById('variants').textContent);
  const shown = await Promise.all(variants.map(async (variant) => ({ ...variant, frame: await frameOf(variant) })));
  document.body.style.cssText = `margin:0;background:${theme.colors.background.canvas};color:${theme.colors.text.primary}`;
  // What the transformations made of it, for whoever has no eyes.
  document.getElementById('frames').textContent = JSON.stringify(
    shown.map(({ title, frame }) => ({ title, fields: frame?.fields.map(({ name, values, config }) => ({ name, values: [...values], custom: config.custom ?? {} })) ?? [] })),
  );
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <div style={{ display: 'flex', flexWrap: 'wrap' }}>{shown.map((variant) => <Panel key={variant.title} {...variant} />)}</div>
    </ThemeContext.Provider>,
  );
}

draw().catch((error) => {
  document.getElementById('root').textContent = `not drawn: ${error.stack}`;
});
