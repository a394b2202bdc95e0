/**
 * Provisioning files of Grafana: the data source, where the dashboards lie, alert rules, whom they tell.
 *
 * Grafana fills `$VARIABLES` of its environment into the data source and into annotations; into queries of alert rules and
 * settings of contact points it does not.
 */
import { stringify } from 'yaml';
import { ALERTS, type Alert } from './alerts.js';
import { DATA_SOURCE_TYPE, DATA_SOURCE_UID } from './sqlTarget.js';

const FOLDER = 'dashboards/generated/provisioning';
const RECEIVER = 'ropesweep';

const datasources = {
  apiVersion: 1,
  datasources: [
    {
      name: 'ropesweep',
      uid: DATA_SOURCE_UID,
      type: DATA_SOURCE_TYPE,
      access: 'proxy',
      url: '$ROPESWEEP_DATABASE_HOST',
      user: '$ROPESWEEP_GRAFANA_USER',
      isDefault: true,
      editable: false,
      jsonData: { database: '$ROPESWEEP_DATABASE_NAME', sslmode: '$ROPESWEEP_DATABASE_SSLMODE', postgresVersion: 1500, timescaledb: false, maxOpenConns: 5, maxIdleConns: 2, connMaxLifetime: 14400 },
      secureJsonData: { password: '$ROPESWEEP_GRAFANA_PASSWORD' },
    },
  ],
};

const providers = {
  apiVersion: 1,
  providers: [
    { name: 'ropesweep', folder: 'ropesweep', type: 'file', disableDeletion: true, allowUiUpdates: false, updateIntervalSeconds: 60, options: { path: '/etc/ropesweep/dashboards' } },
  ],
};

const rule = ({ name, title, summary, sql, limit, pending, severity, panel }: Alert) => ({
  uid: `ropesweep-${name}`,
  title,
  condition: 'B',
  data: [
    {
      refId: 'A',
      relativeTimeRange: { from: 600, to: 0 },
      datasourceUid: DATA_SOURCE_UID,
      model: { refId: 'A', format: 'table', rawQuery: true, editorMode: 'code', rawSql: sql },
    },
    {
      refId: 'B',
      relativeTimeRange: { from: 0, to: 0 },
      datasourceUid: '__expr__',
      model: { refId: 'B', type: 'threshold', expression: 'A', conditions: [{ evaluator: { type: 'gt', params: [limit] } }] },
    },
  ],
  dashboardUid: panel.uid,
  panelId: panel.id,
  // No row: nothing runs, nothing is registered, no limit is set.
  noDataState: 'OK',
  execErrState: 'Error',
  for: pending,
  annotations: {
    summary,
    runbook_url: `\${ROPESWEEP_DOCS_URL}/grafana.md#${name}`,
    __dashboardUid__: panel.uid,
    __panelId__: String(panel.id),
  },
  labels: { severity, project: 'ropesweep' },
});

const rules = { apiVersion: 1, groups: [{ orgId: 1, name: 'ropesweep', folder: 'ropesweep', interval: '1m', rules: ALERTS.map(rule) }] };

const contactPoints = {
  apiVersion: 1,
  contactPoints: [{ orgId: 1, name: RECEIVER, receivers: [{ uid: 'ropesweep-mail', type: 'email', settings: { addresses: 'sweeps@example.org', singleEmail: true } }] }],
};

const policies = {
  apiVersion: 1,
  policies: [{ orgId: 1, receiver: RECEIVER, group_by: ['alertname', 'sweep', 'worker', 'queue'], group_wait: '30s', group_interval: '5m', repeat_interval: '12h' }],
};

const file = (about: string, value: unknown): string => `# ${about}\n# Made by \`npm run generate\` from dashboards/provisioning.ts.\n${stringify(value, { lineWidth: 0, blockQuote: 'literal' })}`;

/** Path in the repository -> text. */
export const provisioningFiles = (): Record<string, string> => ({
  [`${FOLDER}/datasources/ropesweep.yaml`]: file('The store, through a login that may read the reporting views and nothing else (ropesweep grafana-role makes it).', datasources),
  [`${FOLDER}/dashboards/ropesweep.yaml`]: file('Dashboards as code: mount dashboards/generated at the path below. Changes made in Grafana are not kept.', providers),
  [`${FOLDER}/alerting/rules.yaml`]: file('Alert rules; each names its panel and its runbook in docs/grafana.md.', rules),
  [`${FOLDER}/alerting/contact-points.yaml`]: file('Whom alerts tell: put your own address here (Grafana fills no variables in).', contactPoints),
  [`${FOLDER}/alerting/policies.yaml`]: file('That all alerts go there. It replaces the notification policies of the whole organisation: leave it out where Grafana serves others too.', policies),
});
