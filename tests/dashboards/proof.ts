/**
 * Every query of every dashboard and alert, run as Grafana would run it: variables get the values that their own queries offer,
 * panels that repeat are run for each value.
 */
import { performance } from 'node:perf_hooks';
import type pg from 'pg';
import { ALERTS } from '../../dashboards/alerts.js';
import { dashboards } from '../../dashboards/generate.js';
import { expand, type TimeRange, type Values } from './grafanaSql.js';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly repeat?: string;
  readonly maxPerRow?: number;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource: { readonly uid: string };
  readonly fieldConfig: { readonly defaults: { readonly unit?: string; readonly noValue?: string }; readonly overrides: readonly { readonly matcher: { readonly id: string; readonly options: string }; readonly properties: readonly { readonly id: string; readonly value?: unknown }[] }[] };
  readonly targets: readonly { readonly refId: string; readonly rawSql: string; readonly format: string; readonly datasource: { readonly uid: string } }[];
  readonly transformations?: readonly { readonly id: string; readonly options: unknown; readonly filter?: unknown }[];
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query?: string;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly current?: { readonly value: string | readonly string[] };
}

export interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
}

/** By the name of the file, as it is committed. */
export const generatedDashboards = (): ReadonlyMap<string, DashboardJson> =>
  new Map(Object.entries(dashboards()).map(([name, dashboard]) => [name, JSON.parse(JSON.stringify(dashboard)) as DashboardJson]));

export interface Query {
  /** `needle 3 A`, `alert disk`, `needle $arm`. */
  readonly name: string;
  readonly format: string;
  /** Expanded. */
  readonly sql: string;
}

/** The last day, as a panel of 300 points asks for it. */
export const lastDay = (now = new Date()): TimeRange => ({ from: new Date(now.getTime() - 86_400_000), to: now, intervalSeconds: 300 });

/** What a dashboard's variables stand at: values for queries, texts for titles. */
export interface Chosen {
  readonly values: Values;
  /** Of what stands for a value in titles: value -> text. */
  readonly texts: ReadonlyMap<string, string>;
  readonly queries: readonly Query[];
}

/**
 * Values of a dashboard's variables: the first that their queries offer, all of one that shows all.
 * @param chosen instead of these
 */
export async function chooseValues(reader: pg.Client, dashboard: DashboardJson, chosen: Values = {}): Promise<Chosen> {
  const values: Record<string, string | readonly string[]> = {};
  const texts = new Map<string, string>();
  const queries: Query[] = [];
  for (const { name, type, query, multi, current } of dashboard.templating.list) {
    if (type !== 'query' || query === undefined) {
      values[name] = chosen[name] ?? current?.value ?? '';
      continue;
    }
    const sql = expand(query, values);
    queries.push({ name: `${dashboard.uid} $${name}`, format: 'table', sql });
    const { rows } = await reader.query<{ __value: string; __text: string }>(sql);
    for (const { __value, __text } of rows) texts.set(__value, __text);
    const offered = rows.map((row) => row.__value);
    values[name] = chosen[name] ?? (multi === true ? offered : (offered[0] ?? ''));
  }
  return { values, texts, queries };
}

/** A panel at the values of its variables: one that repeats stands once for each value. */
export interface ScopedPanel {
  readonly panel: Panel;
  readonly values: Values;
}

/** @param repeats panels that repeat stand for so many values */
export const scopedPanels = (dashboard: DashboardJson, values: Values, repeats: number): ScopedPanel[] =>
  dashboard.panels.flatMap((panel) => {
    const { repeat } = panel;
    const offered = repeat === undefined ? [] : [values[repeat] ?? []].flat().slice(0, repeats);
    return repeat === undefined || offered.length === 0 ? [{ panel, values }] : offered.map((value) => ({ panel, values: { ...values, [repeat]: value } }));
  });

/** @param repeats panels that repeat are run for so many values */
export async function allQueries(reader: pg.Client, range: TimeRange, chosen: Values = {}, repeats = 2): Promise<Query[]> {
  const all: Query[] = [];
  for (const dashboard of generatedDashboards().values()) {
    const { values, queries } = await chooseValues(reader, dashboard, chosen);
    all.push(...queries);
    const scoped = scopedPanels(dashboard, values, repeats);
    for (const [place, { panel, values: own }] of scoped.entries()) {
      const same = scoped.filter((one) => one.panel === panel);
      const index = scoped.slice(0, place).filter((one) => one.panel === panel).length;
      for (const { refId, rawSql, format } of panel.targets) {
        all.push({ name: `${dashboard.uid} ${panel.id}${refId}${same.length > 1 ? ` (${index + 1})` : ''}: ${panel.title}`, format, sql: expand(rawSql, own, range) });
      }
    }
  }
  for (const { name, sql } of ALERTS) all.push({ name: `alert ${name}`, format: 'table', sql: expand(sql, {}, range) });
  return all;
}

export interface Timing {
  readonly name: string;
  readonly rows: number;
  /** Median of the runs: PostgreSQL's planning and execution, and the whole as the client sees it; milliseconds. */
  readonly planningMs: number;
  readonly executionMs: number;
  readonly wallMs: number;
  /** Tables of a row a cell that it reads from end to end. */
  readonly scans: readonly string[];
  /** Indexes that it uses. */
  readonly indexes: readonly string[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** A row for each cell, or more. */
const LARGE = ['memberships', 'measurements', 'needle_results', 'outcomes'];

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

/** Runs a query some times after one that warms the caches. */
export async function time(reader: pg.Client, { name, sql }: Query, runs = 5): Promise<Timing> {
  const { rowCount } = await reader.query(sql);
  const plans: { planning: number; execution: number; root: PlanNode }[] = [];
  const walls: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const start = performance.now();
    await reader.query(sql);
    walls.push(performance.now() - start);
    const { rows } = await reader.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode; readonly 'Planning Time': number; readonly 'Execution Time': number }[] }>(
      `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${sql}`,
    );
    const plan = rows[0]?.['QUERY PLAN'][0];
    if (plan !== undefined) plans.push({ planning: plan['Planning Time'], execution: plan['Execution Time'], root: plan.Plan });
  }
  const nodes = plans.flatMap(({ root }) => nodesOf(root));
  const scanned = nodes.filter((node) => node['Node Type'].includes('Seq Scan')).map((node) => node['Relation Name'] ?? '');
  return {
    name,
    rows: rowCount ?? 0,
    planningMs: median(plans.map(({ planning }) => planning)),
    executionMs: median(plans.map(({ execution }) => execution)),
    wallMs: median(walls),
    scans: [...new Set(scanned)].filter((table) => LARGE.includes(table)),
    indexes: [...new Set(nodes.map((node) => node['Index Name'] ?? ''))].filter((index) => index !== '').sort(),
  };
}
