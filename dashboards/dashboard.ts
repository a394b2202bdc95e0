/**
 * What every dashboard has: its data source variable, links to the others, and the schema version of the Grafana it is for.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { DashboardBuilder, DashboardLinkBuilder, DashboardLinkType, type Dashboard, type Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { dataSourceVariable, type Variable } from './variables.js';

/** Of Grafana 12 and 13; the SDK writes an older one, which would be migrated on every load. */
const SCHEMA_VERSION = 42;

interface Contents {
  /** Never changes: links, alerts and bookmarks name it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly panels: readonly Builder<Panel>[];
  /** Shown at first. */
  readonly from?: string;
}

/* eslint-disable @typescript-eslint/no-deprecated -- file provisioning takes classic JSON only: bare v2 dashboards fail there */
export type ClassicDashboard = Dashboard;

export function dashboard({ uid, title, description, variables, panels, from = 'now-24h' }: Contents): ClassicDashboard {
  const builder = new DashboardBuilder(`ropesweep: ${title}`)
    .uid(uid)
    .description(description)
    .tags(['ropesweep'])
    .refresh('30s')
    .time({ from, to: 'now' })
    .timezone('browser')
    .link(new DashboardLinkBuilder('ropesweep').type(DashboardLinkType.Dashboards).tags(['ropesweep']).asDropdown(false).includeVars(true).keepTime(true))
    // Built once: the builder asks for each variable more than once.
    .variables([dataSourceVariable(), ...variables].map((one) => one.build()).map((model) => ({ build: () => model })));
  return { ...builder.build(), panels: placed(panels.map((panel) => panel.build())), schemaVersion: SCHEMA_VERSION };
}

/** Of the grid of a dashboard. */
const COLUMNS = 24;

/**
 * Panels from left to right in rows as high as their highest. One that repeats to the right has its row for itself, which grows
 * as Grafana repeats it. (The SDK's own placing lets panels stick out of the grid.)
 */
function placed(panels: readonly Panel[]): Panel[] {
  let [x, y, height] = [0, 0, 0];
  let alone = false;
  return panels.map((panel) => {
    const { w, h } = panel.gridPos ?? { w: COLUMNS, h: 8 };
    const repeats = panel.repeat !== undefined;
    if (x > 0 && (repeats || alone || x + w > COLUMNS)) [x, y, height] = [0, y + height, 0];
    const gridPos = { h, w, x, y };
    [x, height, alone] = [x + w, Math.max(height, h), repeats];
    return { ...panel, gridPos };
  });
}
