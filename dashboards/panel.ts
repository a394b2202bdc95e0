/**
 * What every panel has, in one place: what it shows, what that means, its unit, what stands there when there is nothing, and
 * the data source variable.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { BigValueColorMode, LegendDisplayMode, LegendPlacement, ReduceDataOptionsBuilder, ScaleDistribution, ScaleDistributionConfigBuilder, SortOrder, TooltipDisplayMode, VisibilityMode, VizLegendOptionsBuilder, VizTooltipOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { PanelBuilder as TrendBuilder } from '@grafana/grafana-foundation-sdk/trend';
import { COLOURS, fixedColour, numberedOverrides } from './palette.js';
import { DATA_SOURCE, sqlTarget, type SqlFormat } from './sqlTarget.js';

export interface Description {
  /** Unique within its dashboard, and never given to another panel: links and alerts name it. */
  readonly id: number;
  /** What it shows. */
  readonly title: string;
  /** What that means, with units, and when there is nothing to show. */
  readonly description: string;
  readonly unit: string;
  /** Shown where there is nothing. */
  readonly empty?: string;
  /** Of 24. */
  readonly width: number;
  readonly height: number;
}

/** What the panel builders of the SDK have in common. */
interface AnyPanelBuilder extends Builder<Panel> {
  id(id: number): this;
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  noValue(text: string): this;
  datasource(source: typeof DATA_SOURCE): this;
  height(height: number): this;
  span(width: number): this;
  withTarget(target: Builder<Dataquery>): this;
}

const described = <B extends AnyPanelBuilder>(builder: B, { id, title, description, unit, empty, width, height }: Description, queries: readonly string[], format: SqlFormat): B => {
  const panel = builder.id(id).title(title).description(description).unit(unit).noValue(empty ?? '-').datasource(DATA_SOURCE).height(height).span(width);
  for (const [index, sql] of queries.entries()) panel.withTarget(sqlTarget(String.fromCharCode(65 + index), sql, format));
  return panel;
};

const bottomLegend = () => new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true);
const tooltipOfAll = () => new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.None);

/** What stands for no row at all would stand in every cell and tooltip without a value. */
const noNumber: DynamicConfigValue = { id: 'noValue', value: '-' };

/** Pixels; as wide as the panel allows, unless the columns are many. */
const NARROWEST_COLUMN = 90;

/** @param queries targets A, B, ... */
export const table = (description: Description, ...queries: readonly string[]): TableBuilder =>
  described(new TableBuilder(), description, queries, 'table')
    .minWidth(NARROWEST_COLUMN)
    .overrideByRegexp('/./', [noNumber, { id: 'custom.wrapHeaderText', value: true }]);

/** One row of figures: a figure a column, named by the column. */
export const stat = (description: Description, sql: string): StatBuilder =>
  described(new StatBuilder(), description, [sql], 'table')
    .colorMode(BigValueColorMode.None)
    // Beside each other a name stands next to the figure of another.
    .wideLayout(false)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('/.*/').values(false));

/** Points of a series at most: a day in steps of five minutes. */
const POINTS = 300;

/** @param sql columns time, metric (`01 name`), value */
export function overTime(description: Description, sql: string): TimeSeriesBuilder {
  const panel = described(new TimeSeriesBuilder(), { empty: 'nothing in this time', ...description }, [sql], 'time_series').overrideByRegexp('/./', [noNumber]).legend(bottomLegend()).tooltip(tooltipOfAll()).fillOpacity(10).showPoints(VisibilityMode.Auto).spanNulls(false).maxDataPoints(POINTS);
  for (const { regexp, properties } of numberedOverrides()) panel.overrideByRegexp(regexp, properties);
  return panel;
}

/**
 * Columns x, series, value -> one column of x and one a series. The first number is x, so none is named: where there is nothing
 * the panel says that it finds no numeric field, instead of a name that is ours. An XY chart would draw a null as 0
 * (grafana/grafana#82209).
 */
function trend(description: Description, x: string, xTitle: string, sql: string): TrendBuilder {
  return described(new TrendBuilder(), { empty: 'nothing is measured', ...description }, [sql], 'table')
    .overrideByRegexp('/./', [noNumber])
    .legend(bottomLegend())
    .tooltip(tooltipOfAll())
    .withTransformation({ id: 'groupingToMatrix', options: { rowField: x, columnField: 'series', valueField: 'value', emptyValue: 'null' } })
    .overrideByName(matrixKey(x), [{ id: 'unit', value: 'none' }, { id: 'displayName', value: xTitle }, { id: 'custom.axisLabel', value: xTitle }]);
}

const matrixKey = (x: string): string => `${x}\\series`;

/** Lengths as heat maps name them: 2k. Longer labels are cut where the axis ends. */
const LENGTH_NAMES = [{ type: 'value', options: Object.fromEntries(Array.from({ length: 13 }, (_, power) => [String(1024 << power), { text: `${1 << power}k`, index: power }])) }];

/** Curves of arms over a length, which is doubled from one to the next. @param sql columns x, series (`01 none`), value, ordered by x, series */
export function curves(description: Description, { x, xTitle, yTitle, logY = false }: { readonly x: string; readonly xTitle: string; readonly yTitle: string; readonly logY?: boolean }, sql: string): TrendBuilder {
  const panel = trend(description, x, xTitle, sql).showPoints(VisibilityMode.Always).pointSize(5).lineWidth(2).axisLabel(yTitle);
  if (logY) panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(2));
  for (const { regexp, properties } of numberedOverrides()) panel.overrideByRegexp(regexp, properties);
  return panel.overrideByName(matrixKey(x), [{ id: 'custom.scaleDistribution', value: { type: 'log', log: 2 } }, { id: 'mappings', value: LENGTH_NAMES }]);
}

/** A mean with the envelope of its heads, over a linear axis; logarithmic up, or key 0 leaves nothing of the others. @param sql columns x, series (mean, p10, p90), value, ordered by x */
export const envelope = (description: Description, { x, xTitle }: { readonly x: string; readonly xTitle: string }, sql: string): TrendBuilder =>
  trend(description, x, xTitle, sql)
    .showPoints(VisibilityMode.Never)
    .scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10))
    .overrideByName(matrixKey(x), [{ id: 'custom.scaleDistribution', value: { type: 'linear' } }])
    // Fewer decimals would call the lowest shares 0.
    .overrideByRegexp('/^(mean|p10|p90)$/', [{ id: 'decimals', value: 3 }])
    .overrideByName('mean', [fixedColour(COLOURS.vermilion), { id: 'custom.lineWidth', value: 2 }])
    .overrideByName('p10', [fixedColour(COLOURS.blue)])
    .overrideByName('p90', [fixedColour(COLOURS.blue), { id: 'custom.fillBelowTo', value: 'p10' }, { id: 'custom.fillOpacity', value: 20 }]);

/** Properties of a column. */
export const column = (unit: string, decimals?: number): DynamicConfigValue[] => [{ id: 'unit', value: unit }, ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }])];

/** A column of times, to the second. */
export const moment: DynamicConfigValue[] = [...column('dateTimeAsIso'), { id: 'custom.width', value: 160 }];

/** A column of texts that may be long. @param width in pixels */
export const text = (width: number): DynamicConfigValue[] => [{ id: 'custom.width', value: width }, { id: 'custom.wrapText', value: true }];

/** Of arms; a label may be as long as `yarn 16x, continued at 16384`. */
export const arms = text(200);

/** A column whose text leads to an address, which may name other columns of the row. */
export const link = (title: string, url: string): DynamicConfigValue => ({ id: 'links', value: [{ title, url, targetBlank: url.startsWith('${') }] });

export const hidden: DynamicConfigValue = { id: 'custom.hideFrom', value: { viz: true, legend: true, tooltip: true } };
