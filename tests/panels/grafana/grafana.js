/**
 * What Grafana makes of the results of a panel, by its own code (@grafana/data): transformations, field overrides, displayed
 * values. What its start does around them (registries of transformations and of options) is done here; the defaults of the
 * panels' own options, which live in its application, stand here as far as our panels need them.
 */
import {
  applyFieldOverrides, booleanOverrideProcessor, createTheme, dataLinksOverrideProcessor, displayNameOverrideProcessor, FieldConfigOptionsRegistry, formattedValueToString, getFieldDisplayName, getFieldDisplayValues,
  getValueFormats, identityOverrideProcessor, isLikelyAscendingVector, numberOverrideProcessor, standardTransformers, standardTransformersRegistry, stringOverrideProcessor, toDataFrame, transformDataFrame, unitOverrideProcessor, valueMappingsOverrideProcessor,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

/** Where this runs in Node: formats of times ask for a language, transformations for settings of a browser. */
globalThis.navigator ??= { languages: ['en-GB'] };
globalThis.window ??= globalThis;

/** Some stand there under two names. */
const transformations = new Map(Object.values(standardTransformers).map((transformation) => [transformation.id, transformation]));
standardTransformersRegistry.setInit(() => [...transformations.values()].map((transformation) => ({ id: transformation.id, name: transformation.name, transformation: () => Promise.resolve(transformation), editor: null })));

/** Options that fields of every panel have. */
const STANDARD = {
  unit: unitOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  noValue: stringOverrideProcessor,
  color: identityOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  links: dataLinksOverrideProcessor,
  filterable: booleanOverrideProcessor,
};

const GRAPH = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', spanNulls: false, insertNulls: false, showPoints: 'auto', pointSize: 5,
  stacking: { mode: 'none', group: 'A' }, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text', axisBorderShow: false, axisCenteredZero: false, scaleDistribution: { type: 'linear' },
  hideFrom: { tooltip: false, viz: false, legend: false }, thresholdsStyle: { mode: 'off' }, barAlignment: 0, lineStyle: undefined, fillBelowTo: undefined,
};

/** Options of the fields of a kind of panel, with their defaults; undefined where there is none. */
const OWN = {
  timeseries: GRAPH,
  trend: GRAPH,
  stat: {},
  table: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: false, minWidth: undefined, width: undefined, hideFrom: { viz: false }, styleField: undefined, tooltip: undefined, wrapHeaderText: undefined, wrapText: undefined },
};

/** Grafana passes over what a panel does not know: so that is found. */
const unknownOptions = ({ type, fieldConfig: { defaults, overrides } }) => {
  const set = [...Object.keys(defaults).filter((name) => name !== 'custom'), ...Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`), ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id))];
  const known = [...Object.keys(STANDARD), ...Object.keys(OWN[type] ?? {}).map((name) => `custom.${name}`)];
  return [...new Set(set.filter((id) => !known.includes(id)))];
};

const option = (id, path, isCustom, process) => ({ id, path, isCustom, name: id, process, shouldApply: () => true, settings: {} });
const registryOf = (type) =>
  new FieldConfigOptionsRegistry(() => [
    ...Object.entries(STANDARD).map(([name, process]) => option(name, name, false, process)),
    ...Object.keys(OWN[type] ?? {}).map((name) => option(`custom.${name}`, name, true, identityOverrideProcessor)),
  ]);

export const themeOf = (mode) => createTheme({ colors: { mode } });

const UNITS = new Set(getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)));

/** Variables in links stay as they are. */
const replaceVariables = (text) => text;

export async function framesOf({ panel, results }, theme) {
  const frames = results.map(({ refId, fields }) => toDataFrame({ refId, fields: fields.map((field) => ({ ...field, config: {} })) }));
  const transformed = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  const { defaults, overrides } = panel.fieldConfig;
  const own = Object.fromEntries(Object.entries(OWN[panel.type] ?? {}).filter(([, value]) => value !== undefined));
  const fieldConfig = { defaults: { ...defaults, custom: { ...own, ...defaults.custom } }, overrides };
  const data = applyFieldOverrides({ data: transformed, fieldConfig, fieldConfigRegistry: registryOf(panel.type), replaceVariables, theme, timeZone: 'utc' });
  return { data, fieldConfig };
}

/** What a stat panel shows. */
export const figuresOf = ({ panel }, { data, fieldConfig }, theme) =>
  getFieldDisplayValues({ fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables, theme, data, timeZone: 'utc' });

const shownIn = (field) => field.values.map((value) => formattedValueToString(field.display(value)));

/** All that can be told of a panel without eyes, as JSON. */
export async function outcomeOf(variant) {
  const { panel, results } = variant;
  const theme = themeOf('dark');
  const prepared = await framesOf(variant, theme);
  const units = [panel.fieldConfig.defaults.unit, ...panel.fieldConfig.overrides.flatMap(({ properties }) => properties.filter(({ id }) => id === 'unit').map(({ value }) => value))];
  return {
    kind: Object.hasOwn(OWN, panel.type) ? 'known' : 'unknown',
    unknownOptions: unknownOptions(panel),
    unknownUnits: [...new Set(units.filter((unit) => !UNITS.has(unit)))],
    unknownTransformations: (panel.transformations ?? []).filter(({ id }) => !transformations.has(id)).map(({ id }) => id),
    rows: results.map(({ fields }) => fields[0]?.values.length ?? 0),
    frames: prepared.data.map((frame) => ({
      length: frame.length,
      fields: frame.fields.map((field) => ({
        name: field.name,
        displayName: getFieldDisplayName(field, frame, prepared.data),
        type: field.type,
        values: [...field.values],
        shown: shownIn(field),
        ascending: field.type === 'number' && isLikelyAscendingVector(field.values),
        colour: field.config.color?.mode === 'fixed' ? field.config.color.fixedColor : null,
        links: (field.config.links ?? []).map(({ url }) => url),
        custom: field.config.custom ?? {},
      })),
    })),
    figures: panel.type === 'stat' ? figuresOf(variant, prepared, theme).map(({ display }) => ({ title: display.title ?? '', text: formattedValueToString(display) })) : [],
  };
}
