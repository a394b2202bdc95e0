/**
 * Panels as Grafana draws them: what grafana.js prepared, in components of @grafana/ui. The kinds of panels themselves live in
 * Grafana's application; the little that they do between its packages is done here.
 */
import { cacheFieldDisplayNames, DashboardCursorSync, EventBusSrv, fieldMatchers, FieldMatcherID, FieldType, formattedValueToString, getDisplayValueAlignmentFactors, ThemeContext, VizOrientation } from '@grafana/data';
import { BigValue, getFieldDisplayItems, GlobalStyles, PanelChrome, PanelContextProvider, PortalContainer, preparePlotFrame, TimeSeries, TooltipPlugin2, VizRepeater, VizTooltipContent, VizTooltipHeader, VizTooltipWrapper } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import '@grafana/react-data-grid/lib/styles.css';
import 'uplot/dist/uPlot.min.css';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { figuresOf, framesOf, themeOf } from './grafana.js';

const theme = themeOf(new URL(location.href).searchParams.get('theme') ?? 'dark');
const context = { eventsScope: 'panels', eventBus: new EventBusSrv(), sync: () => DashboardCursorSync.Off };

/** A dashboard of 24 columns in a window of this width, as Grafana lays it out. */
const WIDTH = 1440;
const GAP = 8;
const ROW = 30;
const COLUMN = (WIDTH - 23 * GAP) / 24;
const widthOf = (columns) => columns * COLUMN + (columns - 1) * GAP;
const heightOf = (rows) => rows * ROW + (rows - 1) * GAP;

/** What stands there where there is nothing, as Grafana's own view of it. */
const Nothing = ({ text }) => (
  <div style={{ height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary, fontSize: theme.typography.size.lg }}>{text}</div>
);

const Table = ({ panel, prepared: { data }, width, height }) => (
  <TableNG data={data[0]} width={width} height={height} noHeader={!panel.options.showHeader} showTypeIcons={panel.options.showTypeIcons} cellHeight={panel.options.cellHeight} noValue={panel.fieldConfig.defaults.noValue} enableVirtualization={false} structureRev={1} timeRange={undefined} getActions={() => []} transparent={true} />
);

const Stat = ({ panel: { options }, panel, prepared, width, height }) => (
  <VizRepeater
    getValues={() => figuresOf({ panel }, prepared, theme)}
    getAlignmentFactors={getDisplayValueAlignmentFactors}
    renderValue={({ value, alignmentFactors, width: ownWidth, height: ownHeight, count }) => (
      <BigValue value={value.display} count={count} colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode} alignmentFactors={alignmentFactors} width={ownWidth} height={ownHeight} theme={theme} disableWideLayout={!options.wideLayout} />
    )}
    width={width}
    height={height}
    source={prepared.data}
    itemSpacing={3}
    renderCounter={1}
    autoGrid={true}
    orientation={VizOrientation.Auto}
  />
);

/** What plots do not draw is left out: as prepareGraphableFields of the application. */
const graphable = (frame) => ({
  ...frame,
  fields: frame.fields
    .filter(({ type }) => type === FieldType.number || type === FieldType.time)
    .map((field) => (field.type === FieldType.number ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) } : field)),
});

/**
 * The axis of x of a trend. Of the two copies of this code the one in @grafana/ui is older and knows no distribution; what the
 * application gives to the scale (grafana/grafana#101433) is given here.
 */
function scaleX(config, x) {
  const scale = config.scales.find(({ props }) => props.scaleKey === 'x');
  const { scaleDistribution } = x.config.custom;
  Object.assign(scale.props, { range: undefined, distribution: scaleDistribution?.type, log: scaleDistribution?.log, min: x.config.min, max: x.config.max, decimals: x.config.decimals, padMinBy: 0, padMaxBy: 0 });
}

const Tooltip = ({ frame, dataIdxs, seriesIdx, mode, sortOrder }) => {
  const [x] = frame.fields;
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: x.type === FieldType.time ? '' : x.state?.displayName ?? x.name, value: formattedValueToString(x.display(x.values[dataIdxs[0]])) }} isPinned={false} />
      <VizTooltipContent items={getFieldDisplayItems(frame.fields, x, dataIdxs, seriesIdx, mode, sortOrder, (field) => field.type === FieldType.number)} isPinned={false} />
    </VizTooltipWrapper>
  );
};

function Plot({ panel, prepared: { data }, range, width, height }) {
  const isTrend = panel.type === 'trend';
  cacheFieldDisplayNames(data);
  const frames = data.map(graphable);
  const x = frames[0].fields.find(({ type }) => type === FieldType.number)?.name;
  const timeless = (all, fields) => preparePlotFrame(all, { ...fields, x: fieldMatchers.get(FieldMatcherID.byName).get(x) });
  const timeRange = { from: { valueOf: () => range.from }, to: { valueOf: () => range.to } };
  return (
    <TimeSeries frames={frames} structureRev={1} timeRange={timeRange} timeZone="utc" width={width} height={height} legend={panel.options.legend} options={panel.options} theme={theme} {...(isTrend ? { preparePlotFrame: timeless } : {})}>
      {(config, aligned) => {
        if (isTrend) scaleX(config, aligned.fields[0]);
        return <TooltipPlugin2 config={config} hoverMode={1} render={(_u, dataIdxs, seriesIdx) => <Tooltip frame={aligned} dataIdxs={dataIdxs} seriesIdx={seriesIdx} mode={panel.options.tooltip.mode} sortOrder={panel.options.tooltip.sort} />} />;
      }}
    </TimeSeries>
  );
}

const KINDS = { table: Table, stat: Stat, timeseries: Plot, trend: Plot };

function Contents(props) {
  const { panel, prepared } = props;
  const Kind = KINDS[panel.type];
  const isEmpty = !prepared.data.some(({ fields }) => fields.length > 0);
  if (panel.type === 'trend' && isEmpty) return <Nothing text="No numeric fields found for X axis" />;
  if (panel.type !== 'stat' && isEmpty) return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  return <Kind {...props} />;
}

function Panel({ variant }) {
  const { panel, title } = variant;
  const { w, h } = panel.gridPos;
  const [width, height] = [panel.repeat === undefined ? widthOf(w) : widthOf(24 / panel.maxPerRow), heightOf(h)];
  return (
    <div data-panel={panel.id} data-title={title} style={{ width, height }}>
      <PanelChrome width={width} height={height} title={title} description={panel.description} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(innerWidth, innerHeight) => <Contents {...variant} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

/**
 * Texts are measured in Inter, whose files are in Grafana's application: letters that the machine has stand for it, or what is
 * drawn is wider than what was measured.
 */
async function prepareFonts() {
  const root = document.body.appendChild(document.createElement('div'));
  flushSync(() => createRoot(root).render(<ThemeContext.Provider value={theme}><GlobalStyles /></ThemeContext.Provider>));
  for (const sheet of [...document.styleSheets].filter(({ href }) => href === null)) {
    for (let index = sheet.cssRules.length - 1; index >= 0; index -= 1) if (sheet.cssRules[index] instanceof CSSFontFaceRule) sheet.deleteRule(index);
  }
  const letters = "local('Inter'), local('Liberation Sans'), local('Arial'), local('Helvetica'), local('DejaVu Sans')";
  document.fonts.add(await new FontFace('Inter', letters, { weight: '100 900' }).load());
}

async function draw() {
  const variants = JSON.parse(document.getElementById('variants').textContent);
  const shown = await Promise.all(variants.map(async (variant) => ({ ...variant, prepared: await framesOf(variant, theme) })));
  const dashboards = [...new Set(shown.map(({ dashboard }) => dashboard))];
  await prepareFonts();
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <PortalContainer />
      <PanelContextProvider value={context}>
        {dashboards.map((dashboard) => (
          <main key={dashboard} id={dashboard} style={{ display: 'flex', flexWrap: 'wrap', gap: GAP, width: WIDTH + 2 * GAP, padding: GAP }}>
            {shown.filter((one) => one.dashboard === dashboard).map((variant) => <Panel key={`${variant.panel.id} ${variant.title}`} variant={variant} />)}
          </main>
        ))}
      </PanelContextProvider>
    </ThemeContext.Provider>,
  );
}

draw().catch((error) => {
  document.body.dataset.failed = error.stack;
});
