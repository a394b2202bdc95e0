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
  for (const panel of panels) builder.withPanel(panel);
  return { ...builder.build(), schemaVersion: SCHEMA_VERSION };
}
