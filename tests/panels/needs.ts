/**
 * What a panel needs of what Grafana made of its results, or it shows an error, nothing, or something else than is meant.
 */
import { COLOURS } from '../../dashboards/palette.js';
import type { Panel } from '../dashboards/proof.js';
import type { FieldType } from './postgresFrames.js';

export interface OutcomeField {
  readonly name: string;
  readonly displayName: string;
  readonly type: FieldType;
  readonly values: readonly unknown[];
  /** As people read them: with units, decimals, and what stands for nothing. */
  readonly shown: readonly string[];
  /** Grafana's own test, which looks at some values only. */
  readonly ascending: boolean;
  /** That is fixed. */
  readonly colour: string | null;
  readonly links: readonly string[];
  /** The panel's own options. */
  readonly custom: Readonly<Record<string, unknown>>;
}

export interface OutcomeFrame {
  readonly length: number;
  readonly fields: readonly OutcomeField[];
}

/** As outcomeOf of grafana.js gives it. */
export interface Outcome {
  readonly kind: 'known' | 'unknown';
  readonly unknownOptions: readonly string[];
  readonly unknownUnits: readonly string[];
  readonly unknownTransformations: readonly string[];
  /** Of each query. */
  readonly rows: readonly number[];
  readonly frames: readonly OutcomeFrame[];
  /** Of a stat panel. */
  readonly figures: readonly { readonly title: string; readonly text: string }[];
}

/** A heat map is a table whose columns are made of three queries. */
export const isHeatmap = (panel: Panel): boolean => panel.type === 'table' && (panel.transformations ?? []).length > 0;

const isHidden = ({ custom }: OutcomeField): boolean => (custom['hideFrom'] as { viz?: boolean } | undefined)?.viz === true;
const isLog = ({ custom }: OutcomeField): boolean => (custom['scaleDistribution'] as { type?: string } | undefined)?.type === 'log';
const numbers = ({ values }: OutcomeField): number[] => values.filter((value): value is number => value !== null && value !== undefined);
const repeated = (names: readonly string[]): string[] => [...new Set(names.filter((name, place) => names.indexOf(name) !== place))];

/** @returns what is wrong; nothing where the panel shows what it is meant to */
export function problemsOf(panel: Panel, outcome: Outcome): string[] {
  const always = [
    ...(outcome.kind === 'known' ? [] : [`nothing is known of panels of the kind ${panel.type}: say in tests/panels what they need`]),
    ...outcome.unknownOptions.map((id) => `the panel has no option ${id}: Grafana passes over it`),
    ...outcome.unknownUnits.map((unit) => `Grafana knows no unit ${unit}`),
    ...outcome.unknownTransformations.map((id) => `Grafana knows no transformation ${id}`),
  ];
  return [...always, ...(outcome.rows.every((rows) => rows === 0) ? problemsOfNothing(panel, outcome) : problemsOfSomething(panel, outcome))];
}

/** No query gave a row: what stands for nothing must be shown, and be a text. */
function problemsOfNothing({ type, fieldConfig }: Panel, { frames, figures }: Outcome): string[] {
  const text = fieldConfig.defaults.noValue ?? '';
  return [
    ...(text === '' ? ['an empty panel says nothing'] : []),
    ...(frames.some(({ length, fields }) => length > 0 && fields.length > 0) ? ['its queries gave nothing, and it has rows'] : []),
    ...(type === 'stat' && (figures.length !== 1 || figures[0]?.text !== text) ? [`it shows ${JSON.stringify(figures)} for nothing`] : []),
  ];
}

function problemsOfSomething(panel: Panel, outcome: Outcome): string[] {
  const [frame, ...more] = outcome.frames;
  if (frame === undefined || frame.length === 0) return ['its queries gave rows, and its transformations left none'];
  const shown = frame.fields.filter((field) => !isHidden(field));
  return [
    // A table would ask which one to show, a trend refuses.
    ...(more.length > 0 ? [`its transformations left ${outcome.frames.length} frames instead of one`] : []),
    ...(shown.length === 0 ? ['no field of it is shown'] : []),
    ...repeated(frame.fields.map(({ name }) => name)).map((name) => `two fields are called ${name}`),
    ...shown.flatMap((field) => [...new Set(field.shown)].filter((text) => /NaN|Infinity|undefined|null|Invalid|\[object/.test(text)).map((text) => `${field.name} shows ${text}`)),
    ...shown.filter(({ values, shown: texts }) => panel.type !== 'stat' && values.some((value, row) => value === null && !['', '-'].includes(texts[row] ?? ''))).map(({ name }) => `${name} says where it has no value what the panel says where it has no row`),
    ...(isHeatmap(panel) ? problemsOfHeatmap(frame) : problemsByType(panel, outcome, frame)),
  ];
}

function problemsByType(panel: Panel, outcome: Outcome, frame: OutcomeFrame): string[] {
  switch (panel.type) {
    case 'table':
      return [...problemsOfTable(outcome, frame), ...problemsOfOverrides(panel, frame)];
    case 'stat':
      return [...problemsOfStat(outcome, frame), ...problemsOfOverrides(panel, frame)];
    case 'timeseries':
      return problemsOfSeries(frame, (field) => field.type === 'time');
    case 'trend':
      return [...problemsOfSeries(frame, (_field, place) => place === 0), ...problemsOfTrend(panel, frame)];
    default:
      return [];
  }
}

function problemsOfTable(outcome: Outcome, { length, fields }: OutcomeFrame): string[] {
  const linked = fields.flatMap(({ name, links }) => links.flatMap((url) => [...url.matchAll(/\$\{__data\.fields\.(\w+)\}/g)].map(([, column = '']) => ({ name, column }))));
  return [
    ...(length === outcome.rows[0] ? [] : [`${outcome.rows[0] ?? 0} rows became ${length}`]),
    ...linked.filter(({ column }) => !fields.some((field) => field.name === column)).map(({ name, column }) => `the link of ${name} names the column ${column}, which is not there`),
  ];
}

/** Overrides of columns that a query does not give are left over from another query. */
const problemsOfOverrides = ({ fieldConfig }: Panel, { fields }: OutcomeFrame): string[] =>
  fieldConfig.overrides.flatMap(({ matcher: { id, options } }) => {
    const regexp = /^\/(.*)\/$/.exec(options)?.[1];
    const matches = (name: string): boolean => (id === 'byName' ? name === options : id === 'byRegexp' && regexp !== undefined && new RegExp(regexp).test(name));
    return fields.some(({ name }) => matches(name)) ? [] : [`its override of ${options} meets no field`];
  });

const problemsOfStat = ({ figures }: Outcome, { length, fields }: OutcomeFrame): string[] => [
  ...(length === 1 ? [] : [`it has ${length} rows instead of one`]),
  ...fields.filter(({ type }) => type !== 'number').map(({ name, type }) => `the figure ${name} is a ${type}`),
  ...(JSON.stringify(figures.map(({ title }) => title)) === JSON.stringify(fields.map(({ displayName }) => displayName)) ? [] : [`its figures are called ${figures.map(({ title }) => title).join(', ')}`]),
  ...figures.filter(({ text }) => text.trim() === '').map(({ title }) => `the figure ${title} shows nothing`),
];

/** Of x, which ascends, and of numbers over it, each with a colour of the palette. */
function problemsOfSeries({ fields }: OutcomeFrame, isX: (field: OutcomeField, place: number) => boolean): string[] {
  const xs = fields.filter(isX);
  const series = fields.filter((field) => !xs.includes(field));
  const [x] = xs;
  const at = x === undefined ? [] : numbers(x);
  const colours: readonly (string | null)[] = Object.values(COLOURS);
  const styles = series.map(({ colour, custom }) => JSON.stringify([colour, custom['lineStyle'] ?? null]));
  return [
    ...(x === undefined || xs.length > 1 ? [`it has ${xs.length} fields of x`] : []),
    ...(x !== undefined && at.length < x.values.length ? [`${x.name} is null somewhere`] : []),
    ...(at.some((value, place) => value <= (at[place - 1] ?? -Infinity)) ? [`${x?.name ?? 'x'} does not ascend: ${at.join(', ')}`] : []),
    ...(series.length === 0 ? ['it has no series'] : []),
    ...series.filter(({ type }) => type !== 'number').map(({ name, type }) => `the series ${name} is a ${type}`),
    ...series.filter((field) => numbers(field).length === 0).map(({ name }) => `the series ${name} has no number`),
    ...series.filter(({ colour }) => !colours.includes(colour)).map(({ name }) => `the series ${name} has no colour of the palette`),
    ...(series.some(({ name }) => name === 'p90') ? [] : repeated(styles).map((style) => `two series look alike: ${style}`)),
  ];
}

function problemsOfTrend({ options }: Panel, { fields }: OutcomeFrame): string[] {
  const [x, ...series] = fields;
  const named = options?.['xField'];
  return [
    ...(x?.type === 'number' && x.ascending ? [] : ['Grafana finds no field of x that ascends']),
    ...(named === undefined || named === x?.name ? [] : [`its x is ${JSON.stringify(named)}, which is not the first field`]),
    ...fields.filter((field) => isLog(field) && numbers(field).some((value) => value <= 0)).map(({ name }) => `${name} is not above 0 on a logarithmic axis`),
    ...(new Set(series.map(isLog)).size > 1 ? ['its series have different axes'] : []),
    ...series.flatMap(({ name, custom }) => (typeof custom['fillBelowTo'] === 'string' && !fields.some((field) => field.name === custom['fillBelowTo']) ? [`${name} is filled down to ${custom['fillBelowTo']}, which is not there`] : [])),
  ];
}

/** Columns v00 of depths, and v01, s01, t01, ... of lengths, shortest first; line 0 holds what people read as heads. */
function problemsOfHeatmap({ fields }: OutcomeFrame): string[] {
  const visible = fields.filter((field) => !isHidden(field));
  const names = visible.map(({ name }) => name);
  const expected = names.map((_name, rank) => `v${String(rank).padStart(2, '0')}`);
  const [depths, ...columns] = visible;
  const value = (name: string): readonly unknown[] | undefined => fields.find((field) => field.name === name)?.values;
  return [
    ...(JSON.stringify(names) === JSON.stringify(expected) ? [] : [`its columns are ${names.join(', ')}`]),
    ...(depths?.shown[0] === 'depth %' ? [] : [`its first head is ${depths?.shown[0] ?? 'missing'}`]),
    ...(depths?.shown.slice(1).every((text, place, all) => Number(text) > Number(all[place - 1] ?? -1)) === true ? [] : [`its depths are ${depths?.shown.join(', ') ?? 'missing'}`]),
    ...columns.flatMap(({ name, shown, custom }) => {
      const [style, tooltip] = [value(name.replace('v', 's')), value(name.replace('v', 't'))];
      return [
        ...(custom['styleField'] === name.replace('v', 's') && style !== undefined ? [] : [`${name} has no style`]),
        ...((custom['tooltip'] as { field?: string } | undefined)?.field === name.replace('v', 't') && tooltip !== undefined ? [] : [`${name} has no tooltip`]),
        ...(style ?? []).filter((css, line) => shown[line] !== '' && !isCss(css)).map((css) => `${name} has the style ${String(css)}`),
        ...shown.flatMap((text, line) => (line === 0 || text === '' || String(tooltip?.[line]).includes(' tokens, depth ') ? [] : [`${name} says ${text} at ${depths?.shown[line] ?? '?'} % and has no tooltip there`])),
        ...(/^\d+k?$/.test(shown[0] ?? '') ? [] : [`${name} has the head ${shown[0] ?? ''}`]),
      ];
    }),
  ];
}

const isCss = (css: unknown): boolean => {
  try {
    const style = JSON.parse(String(css)) as Record<string, unknown>;
    return Object.values(style).every((value) => typeof value === 'string');
  } catch {
    return false;
  }
};
