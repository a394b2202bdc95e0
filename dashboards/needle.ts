/** Needle: recall and entropy of every arm of a sweep. */
import { DashboardBuilder, QueryVariableBuilder, VariableRefresh, type Dashboard, type VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import { needleHeatmap } from './needleHeatmap.js';
import { needleProgress } from './needleProgress.js';
import { needleReach } from './needleReach.js';
import { DATA_SOURCE } from './sqlTarget.js';

const variable = (name: string, label: string, description: string, sql: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATA_SOURCE)
    .query(sql)
    .definition(sql)
    .refresh(VariableRefresh.OnDashboardLoad)
    .allowCustomValue(false);

const sweepVariable = () =>
  variable('sweep', 'Sweep', 'The sweep that is shown; the one that changed last comes first.', 'SELECT sweep AS __text, sweep AS __value FROM reporting.sweeps ORDER BY updated_at DESC, sweep');

const taskVariable = () =>
  variable(
    'task',
    'Task',
    'Position of the needle task in the sweep file, from 0.',
    'SELECT DISTINCT task::text AS __text, task::text AS __value FROM reporting.needle_heatmap WHERE sweep = ${sweep:sqlstring} ORDER BY 1',
  );

/** Text is the label, value the arm id: panels repeat over it. */
const armVariable = () =>
  variable(
    'arm',
    'Arm',
    'Checkpoint x method: each has its heat map.',
    'SELECT arm AS __text, arm_id AS __value FROM reporting.arms WHERE sweep = ${sweep:sqlstring} ORDER BY ordinal',
  )
    .multi(true)
    .includeAll(true)
    .current({ text: ['All'], value: ['$__all'] });

/* eslint-disable @typescript-eslint/no-deprecated -- file provisioning takes classic JSON only: bare v2 dashboards fail there */
/** Classic JSON, as file provisioning takes it. */
export function needleDashboard(): Dashboard {
  const variables: VariableModel[] = [sweepVariable(), taskVariable(), armVariable()].map((builder) => builder.build());
  const dashboard = new DashboardBuilder('ropesweep: needle in a haystack')
    .uid('ropesweep-needle')
    .description('Where each arm retrieves the needle, and how spread its attention is there.')
    .tags(['ropesweep'])
    .refresh('30s')
    .time({ from: 'now-7d', to: 'now' })
    .timezone('browser')
    .variables(variables.map((model) => ({ build: () => model })))
    .withPanel(needleProgress().id(1))
    .withPanel(needleReach().id(2))
    .withPanel(needleHeatmap().id(3))
    .build();
  return { ...dashboard, schemaVersion: SCHEMA_VERSION };
}

/** Of Grafana 12 and 13; the SDK writes an older one, which would be migrated on every load. */
const SCHEMA_VERSION = 42;
