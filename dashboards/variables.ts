/**
 * Variables of dashboards. What each offers is asked of the store, so nothing can be chosen that is not there.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { CustomVariableBuilder, DatasourceVariableBuilder, QueryVariableBuilder, TextBoxVariableBuilder, VariableRefresh, type VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import { DATA_SOURCE, DATA_SOURCE_TYPE, DATA_SOURCE_UID, quoted } from './sqlTarget.js';

export type Variable = Builder<VariableModel>;

const variable = (name: string, label: string, description: string, sql: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATA_SOURCE)
    .query(sql)
    .definition(sql)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .allowCustomValue(false);

const all = { text: ['All'], value: ['$__all'] };

export const dataSourceVariable = (): Variable =>
  new DatasourceVariableBuilder('datasource')
    .label('Data source')
    .description('The store that is shown.')
    .type(DATA_SOURCE_TYPE)
    .current({ text: 'ropesweep', value: DATA_SOURCE_UID });

export const sweepVariable = (): Variable =>
  variable('sweep', 'Sweep', 'The sweep that is shown; the one that changed last comes first.', 'SELECT sweep AS __text, sweep AS __value FROM reporting.sweeps ORDER BY updated_at DESC, sweep');

/** Positions of the tasks of one kind in the sweep file, from 0. */
export const taskVariable = (kind: 'needle' | 'perplexity' | 'attention'): Variable =>
  variable(
    'task',
    'Task',
    `Position of the ${kind} task in the sweep file, from 0.`,
    `SELECT task::text AS __text, task::text AS __value FROM reporting.tasks WHERE sweep = ${quoted('sweep')} AND kind = '${kind}' ORDER BY task`,
  );

const arms = (order: 'ordinal' | 'ordinal DESC' = 'ordinal'): string => `SELECT arm AS __text, arm_id AS __value FROM reporting.arms WHERE sweep = ${quoted('sweep')} ORDER BY ${order}`;

/** Text is the label, value the arm id: panels repeat over it. */
export const armsVariable = (): Variable => variable('arm', 'Arms', 'Checkpoint x method: each has its panel.', arms()).multi(true).includeAll(true).current(all);

/** One arm, for comparisons. @param at which one stands there at first: two arms that are compared are two */
export const oneArmVariable = (name: string, label: string, description: string, at: 'first' | 'last' = 'first'): Variable =>
  variable(name, label, description, arms(at === 'first' ? 'ordinal' : 'ordinal DESC'));

/** Context lengths of the attention cells of a sweep, the longest first. */
export const attentionLengthVariable = (): Variable =>
  variable(
    'length',
    'Context length',
    'Tokens of the cells whose distributions are shown.',
    `SELECT context_tokens::text AS __text, context_tokens::text AS __value FROM (SELECT DISTINCT context_tokens FROM reporting.attention WHERE sweep = ${quoted('sweep')} AND task::text = ${quoted('task')} AND entropy IS NOT NULL) AS lengths ORDER BY lengths.context_tokens DESC`,
  );

export const axisVariable = (): Variable =>
  new CustomVariableBuilder('axis')
    .label('Axis')
    .description('Where keys stand: fraction of the context (128 bins), distance back from the query, or absolute index.')
    .values('fraction,distance,index')
    .current({ text: 'fraction', value: 'fraction' });

/** Where the Temporal UI answers: links to workflows begin with it. */
export const temporalUiVariables = (): Variable[] => [
  new TextBoxVariableBuilder('temporal_ui').label('Temporal UI').description('Address of the Temporal UI, without a slash at its end.').defaultValue('http://localhost:8233').current({ text: 'http://localhost:8233', value: 'http://localhost:8233' }),
  new TextBoxVariableBuilder('temporal_namespace').label('Temporal namespace').description('Namespace of the sweeps in Temporal.').defaultValue('default').current({ text: 'default', value: 'default' }),
];
