/** The panels of every dashboard on a store, each with what its queries give, as its data source hands it over. */
import type pg from 'pg';
import { expand, type TimeRange, type Values } from '../dashboards/grafanaSql.js';
import { chooseValues, generatedDashboards, scopedPanels, type Panel } from '../dashboards/proof.js';
import { postgresFrame, type ResultFrame } from './postgresFrames.js';

export interface Variant {
  /** Name of the file of the dashboard. */
  readonly dashboard: string;
  /** As Grafana shows it: with the texts of variables. */
  readonly title: string;
  readonly panel: Panel;
  readonly results: readonly ResultFrame[];
  /** Milliseconds since the epoch. */
  readonly range: { readonly from: number; readonly to: number };
}

/** Panels that repeat are shown for so many values. */
const REPEATS = 4;

/** The columns of every query are told apart by place: two may have one name. */
export async function resultsOf(reader: pg.Client, { targets }: Panel, values: Values, range: TimeRange): Promise<ResultFrame[]> {
  const results = [];
  for (const { refId, format, rawSql } of targets) results.push(postgresFrame(refId, format, await reader.query<unknown[]>({ text: expand(rawSql, values, range), rowMode: 'array' })));
  return results;
}

/** @param chosen values of variables; of the others what Grafana would choose */
export async function variantsOf(reader: pg.Client, range: TimeRange, chosen: Values): Promise<Variant[]> {
  const variants: Variant[] = [];
  for (const [dashboard, json] of generatedDashboards()) {
    const { values, texts } = await chooseValues(reader, json, chosen);
    for (const { panel, values: own } of scopedPanels(json, values, REPEATS)) {
      const title = panel.title.replaceAll(/\$(\w+)/g, (_whole, name: string) => [own[name] ?? []].flat().map((value) => texts.get(value) ?? value).join(' + '));
      variants.push({ dashboard, title, panel, results: await resultsOf(reader, panel, own, range), range: { from: range.from.getTime(), to: range.to.getTime() } });
    }
  }
  return variants;
}
