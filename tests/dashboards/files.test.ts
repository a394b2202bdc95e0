import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ALERTS } from '../../dashboards/alerts.js';
import { generateDashboards } from '../../dashboards/generate.js';
import { lintDashboards } from '../../dashboards/lint.js';

const files = generateDashboards();
const FOLDER = 'dashboards/generated';
const NEEDLE = `${FOLDER}/needle.json`;
const RUNBOOKS = readFileSync('docs/grafana.md', 'utf8');
const RULES = `${FOLDER}/provisioning/alerting/rules.yaml`;

describe('dashboards and provisioning files', () => {
  it('are committed as they are generated (npm run generate writes them)', async () => {
    for (const [path, text] of Object.entries(files)) expect(await readFile(path, 'utf8'), path).toBe(text);
    const committed = (await readdir(FOLDER, { recursive: true })).map((name) => `${FOLDER}/${name}`).filter((path) => /\.(json|yaml)$/.test(path));
    expect(committed.sort()).toEqual(Object.keys(files).sort());
  });

  it('agree: the data source, the folder, the receiver, and the panels that alerts name', () => {
    const yaml = (name: string): unknown => parse(files[`${FOLDER}/provisioning/${name}.yaml`] ?? '');
    expect(yaml('datasources/ropesweep')).toMatchObject({ datasources: [{ uid: 'ropesweep', type: 'grafana-postgresql-datasource', jsonData: { database: '$ROPESWEEP_DATABASE_NAME' } }] });
    expect(yaml('dashboards/ropesweep')).toMatchObject({ providers: [{ type: 'file', options: { path: '/etc/ropesweep/dashboards' } }] });
    expect(yaml('alerting/policies')).toMatchObject({ policies: [{ receiver: 'ropesweep' }] });
    expect(yaml('alerting/contact-points')).toMatchObject({ contactPoints: [{ name: 'ropesweep', receivers: [{ uid: 'ropesweep-mail', type: 'email' }] }] });
    expect((yaml('alerting/rules') as { groups: { rules: { uid: string }[] }[] }).groups[0]?.rules.map(({ uid }) => uid)).toEqual(ALERTS.map(({ name }) => `ropesweep-${name}`));
  });

  it('are all that is left of provisioning', () => {
    expect(existsSync('infra/provisioning')).toBe(false);
  });
});

describe('the linter of dashboards', () => {
  it('has nothing to say of what is generated', () => {
    expect(lintDashboards(files, RUNBOOKS)).toEqual([]);
  });

  /** What it says of the files with one change. */
  const problems = (path: string, from: string | RegExp, to: string): string[] => {
    const text = files[path] ?? '';
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    return lintDashboards({ ...files, [path]: changed }, RUNBOOKS);
  };

  it.each([
    ['a uid that another dashboard has', NEEDLE, '"uid": "ropesweep-needle"', '"uid": "ropesweep-fleet"', /uid ropesweep-fleet is there twice/],
    ['a uid that Grafana cuts', NEEDLE, '"uid": "ropesweep-needle"', `"uid": "${'n'.repeat(41)}"`, /has not 1 to 40 characters/],
    ['an old schema', NEEDLE, '"schemaVersion": 42', '"schemaVersion": 39', /schema version/],
    ['no data source variable', NEEDLE, '"type": "datasource"', '"type": "constant"', /no data source variable/],
    ['a panel id that is there twice', NEEDLE, '"id": 3,', '"id": 2,', /panel id 2 is there twice/],
    ['a title that is there twice', NEEDLE, /"title": "Recall of[^"]*"/, '"title": "Reach of each arm"', /title "Reach of each arm" is there twice/],
    ['a panel that sticks out of the grid', NEEDLE, '"w": 24', '"w": 25', /panel 2: it sticks out of the 24 columns/],
    ['a panel on another', NEEDLE, /"x": 0,\s*"y": 22/, '"x": 12, "y": 14', /panel 4: it lies on panel 3/],
    ['a panel without a title', NEEDLE, '"title": "Reach of each arm"', '"title": ""', /panel 2: it has no title/],
    ['a panel without a description', NEEDLE, /"description": "Reach[^"]*"/, '"description": ""', /panel 2: it has no description/],
    ['a panel without a unit', NEEDLE, /"unit": "none",\s*"noValue"/, '"noValue"', /panel 2: it has no unit/],
    ['a panel that says nothing when empty', NEEDLE, /,\s*"noValue": "no arm"/, '', /panel 2: it says nothing where there is nothing/],
    ['a panel of a fixed data source', NEEDLE, /("title": "Reach[\s\S]*?"uid": ")\$\{datasource\}/, '$1ropesweep', /data source is not the variable/],
    ['a deprecated panel', NEEDLE, '"type": "table"', '"type": "table-old"', /table-old is deprecated/],
    ['a variable without quotes', NEEDLE, '${sweep:sqlstring}', '${sweep}', /not quoted, or an unknown macro: \$\{sweep\}/],
    ['a variable in quotes of its own', NEEDLE, '${sweep:sqlstring}', "'$sweep'", /not quoted, or an unknown macro: \$sweep/],
    ['an unknown variable', NEEDLE, '${sweep:sqlstring}', '${swoop:sqlstring}', /no variable swoop/],
    ['an unknown macro', `${FOLDER}/fleet.json`, '$__timeFilter(', '$__unixEpochFilter(', /unknown macro: \$__unixEpochFilter/],
    ['a comment', NEEDLE, 'WITH squares AS (', '-- squares\\nWITH squares AS (', /has a comment/],
    ['a colour of no palette', `${FOLDER}/fleet.json`, '"#0072B2"', '"#ff0000"', /colour #ff0000 is not of the palette/],
    ['colours of thresholds nobody chose', `${FOLDER}/fleet.json`, '"colorMode": "none"', '"colorMode": "value"', /thresholds nobody chose/],
    ['an alert of a panel that is not there', RULES, /panelId: 5/, 'panelId: 99', /sweep-stalled: there is no such panel/],
    ['an alert whose annotations name another panel', RULES, /__panelId__: "5"/, '__panelId__: "6"', /annotations name another panel/],
    ['an alert without a runbook', RULES, /runbook_url: .*/, 'runbook_url: ""', /it has no runbook/],
    ['an alert whose runbook is not written', RULES, 'grafana.md#sweep-stalled', 'grafana.md#sweep-gone', /no section sweep-gone/],
    ['a runbook of another file', RULES, 'grafana.md#sweep-stalled', 'errors.md#sweep-stalled', /it has no runbook/],
    ['an alert with a variable', RULES, 'FROM reporting.sweeps s', 'FROM $schema.sweeps s', /has a \$/],
    ['an alert uid that is there twice', RULES, 'uid: ropesweep-disk', 'uid: ropesweep-memory', /uid ropesweep-memory is there twice/],
    ['an alert of another data source', RULES, 'datasourceUid: ropesweep', 'datasourceUid: other', /not the one that is provisioned/],
  ])('finds %s', (_what, path, from, to, expected) => {
    expect(problems(path, from, to).some((problem) => expected.test(problem)), problems(path, from, to).join('\n')).toBe(true);
  });

  it('finds a panel without a query, and series without colours', () => {
    const json = JSON.parse(files[`${FOLDER}/fleet.json`] ?? '') as { panels: { type: string; targets: unknown[]; fieldConfig: { overrides: unknown[] } }[] };
    for (const panel of json.panels) panel.targets = [];
    for (const panel of json.panels) panel.fieldConfig.overrides = [];
    const found = lintDashboards({ ...files, [`${FOLDER}/fleet.json`]: JSON.stringify(json) }, RUNBOOKS);
    expect(found).toContain(`${FOLDER}/fleet.json: panel 2: it has no query`);
    expect(found).toContain(`${FOLDER}/fleet.json: panel 4: its series have no colours of the palette`);
  });
});
