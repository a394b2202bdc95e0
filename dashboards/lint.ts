/**
 * The rules that every dashboard keeps, checked on the files as they are committed: what is wrong is found before a Grafana
 * shows an empty panel.
 */
import { parse } from 'yaml';
import { COLOURS } from './palette.js';
import { DATA_SOURCE, DATA_SOURCE_UID } from './sqlTarget.js';

/** Panels of Grafana 12 and 13 without plugins that are not deprecated. */
const PANEL_TYPES = ['barchart', 'bargauge', 'gauge', 'heatmap', 'histogram', 'row', 'stat', 'state-timeline', 'status-history', 'table', 'text', 'timeseries', 'trend', 'xychart'];
/** Panels that would take colours of Grafana's own palette, which not everybody can tell apart. */
const COLOURED_TYPES = ['barchart', 'timeseries', 'trend', 'xychart'];
/** Of the grid of a dashboard. */
const COLUMNS = 24;
const SCHEMA_VERSION = 42;
/** Of uids in Grafana. */
const LONGEST_UID = 40;

/** The one way to write a variable: a literal with its quotes doubled. */
const QUOTED = /\$\{(\w+):sqlstring\}/g;
/** Arguments are columns: brackets of their own would end the macro. */
const MACROS = [/\$__timeFilter\(\w+\)/g, /\$__timeGroupAlias\(\w+, \$__interval\)/g, /\$__interval_ms\b/g];

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const object = (value: unknown): Json => (isObject(value) ? value : {});
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const repeated = <Item>(items: readonly Item[]): Item[] => [...new Set(items.filter((item, index) => items.indexOf(item) !== index))];

/**
 * @param files path in the repository -> text, as generateDashboards gives them
 * @param runbooks text of docs/grafana.md
 * @returns what is wrong, `path: where: what`; nothing where all rules are kept
 */
export function lintDashboards(files: Readonly<Record<string, string>>, runbooks: string): string[] {
  const dashboards = Object.entries(files).flatMap(([path, content]) => (path.endsWith('.json') ? [{ path, json: object(JSON.parse(content)) }] : []));
  const uids = dashboards.map(({ json }) => text(json['uid']));
  return [
    ...repeated(uids).map((uid) => `dashboards: the uid ${uid} is there twice`),
    ...dashboards.flatMap(({ path, json }) => lintDashboard(json).map((problem) => `${path}: ${problem}`)),
    ...Object.entries(files).flatMap(([path, content]) => (path.endsWith('/rules.yaml') ? lintRules(object(parse(content)), dashboards.map(({ json }) => json), runbooks).map((problem) => `${path}: ${problem}`) : [])),
  ];
}

function lintDashboard(json: Json): string[] {
  const uid = text(json['uid']);
  const panels = list(json['panels']);
  const variables = list(object(json['templating'])['list']);
  const names = variables.map((variable) => text(variable['name']));
  return [
    ...(uid === '' || uid.length > LONGEST_UID ? [`the uid "${uid}" has not 1 to ${LONGEST_UID} characters`] : []),
    ...(json['schemaVersion'] === SCHEMA_VERSION ? [] : [`the schema version is not ${SCHEMA_VERSION}`]),
    ...(variables.some((variable) => variable['type'] === 'datasource' && variable['name'] === 'datasource') ? [] : ['there is no data source variable']),
    ...repeated(panels.map((panel) => panel['id'])).map((id) => `the panel id ${String(id)} is there twice`),
    ...repeated(panels.map((panel) => text(panel['title']))).map((title) => `the panel title "${title}" is there twice`),
    ...lintLayout(panels),
    ...variables.flatMap((variable) => (variable['type'] === 'query' ? [...lintSource(variable), ...lintSql(text(variable['query']), names)].map((problem) => `variable ${text(variable['name'])}: ${problem}`) : [])),
    ...panels.flatMap((panel) => lintPanel(panel, names).map((problem) => `panel ${String(panel['id'])}: ${problem}`)),
  ];
}

/** Panels inside the grid, none on another; one that repeats to the right takes its row. */
function lintLayout(panels: readonly Json[]): string[] {
  const places = panels.map((panel) => {
    const place = object(panel['gridPos']);
    const [x, y, w, h] = ['x', 'y', 'w', 'h'].map((name) => Number(place[name])) as [number, number, number, number];
    return { id: String(panel['id']), left: x, right: x + w, row: panel['repeat'] === undefined ? x + w : COLUMNS, top: y, bottom: y + h };
  });
  return [
    ...places.filter(({ left, right }) => !(left >= 0 && right <= COLUMNS)).map(({ id }) => `panel ${id}: it sticks out of the ${COLUMNS} columns`),
    ...places.flatMap((one, index) =>
      places.slice(index + 1).filter((other) => one.left < other.row && other.left < one.row && one.top < other.bottom && other.top < one.bottom).map((other) => `panel ${other.id}: it lies on panel ${one.id}`),
    ),
  ];
}

const lintSource = (value: Json): string[] => (object(value['datasource'])['uid'] === DATA_SOURCE.uid ? [] : ['its data source is not the variable']);

function lintPanel(panel: Json, variables: readonly string[]): string[] {
  const type = text(panel['type']);
  const config = object(panel['fieldConfig']);
  const defaults = object(config['defaults']);
  const colours = coloursOf(config);
  return [
    ...(PANEL_TYPES.includes(type) ? [] : [`its type ${type} is deprecated or no panel of Grafana's own`]),
    ...(['title', 'description'] as const).flatMap((name) => (text(panel[name]) === '' ? [`it has no ${name}`] : [])),
    ...(text(defaults['unit']) === '' ? ['it has no unit'] : []),
    ...(defaults['noValue'] === undefined ? ['it says nothing where there is nothing'] : []),
    ...lintSource(panel),
    ...(list(panel['targets']).length === 0 ? ['it has no query'] : []),
    ...list(panel['targets']).flatMap((target) => [...lintSource(target), ...lintSql(text(target['rawSql']), variables)].map((problem) => `query ${text(target['refId'])}: ${problem}`)),
    ...colours.filter((colour) => !(Object.values(COLOURS) as readonly string[]).includes(colour)).map((colour) => `its colour ${colour} is not of the palette`),
    ...(COLOURED_TYPES.includes(type) && colours.length === 0 ? ['its series have no colours of the palette'] : []),
    ...(type === 'stat' && object(panel['options'])['colorMode'] !== 'none' ? ['it colours its figures by thresholds nobody chose'] : []),
  ];
}

function coloursOf(config: Json): string[] {
  const properties = list(config['overrides']).flatMap((override) => list(override['properties']));
  const modes = [object(config['defaults'])['color'], ...properties.filter(({ id }) => id === 'color').map(({ value }) => value)].filter(isObject);
  return modes.map((mode) => (mode['mode'] === 'fixed' ? text(mode['fixedColor']) : text(mode['mode'])));
}

function lintSql(sql: string, variables: readonly string[]): string[] {
  const names = [...sql.matchAll(QUOTED)].map(([, name]) => name ?? '');
  const left = [QUOTED, ...MACROS].reduce((rest, known) => rest.replaceAll(known, ''), sql);
  return [
    ...(sql === '' ? ['it is empty'] : []),
    ...(sql.includes('--') ? ['it has a comment, which ends where lines are joined'] : []),
    ...names.filter((name) => !variables.includes(name)).map((name) => `the dashboard has no variable ${name}`),
    ...[...left.matchAll(/\$.{0,24}/g)].map(([rest]) => `it has a variable that is not quoted, or an unknown macro: ${rest}`),
  ];
}

function lintRules(json: Json, dashboards: readonly Json[], runbooks: string): string[] {
  const rules = list(json['groups']).flatMap((group) => list(group['rules']));
  return [
    ...repeated(rules.map((rule) => text(rule['uid']))).map((uid) => `the uid ${uid} is there twice`),
    ...rules.flatMap((rule) => lintRule(rule, dashboards, runbooks).map((problem) => `rule ${text(rule['uid'])}: ${problem}`)),
  ];
}

function lintRule(rule: Json, dashboards: readonly Json[], runbooks: string): string[] {
  const queries = list(rule['data']).filter(({ datasourceUid }) => datasourceUid !== '__expr__');
  const panels = dashboards.filter(({ uid }) => uid === rule['dashboardUid']).flatMap((dashboard) => list(dashboard['panels']));
  const annotations = object(rule['annotations']);
  const section = /\/grafana\.md#([\w-]+)$/.exec(text(annotations['runbook_url']))?.[1];
  return [
    ...(panels.some(({ id }) => id === rule['panelId']) ? [] : ['there is no such panel']),
    ...(annotations['__dashboardUid__'] === rule['dashboardUid'] && annotations['__panelId__'] === String(rule['panelId']) ? [] : ['its annotations name another panel']),
    ...(section === undefined ? ['it has no runbook'] : runbooks.split('\n').includes(`### ${section}`) ? [] : [`docs/grafana.md has no section ${section}`]),
    ...queries.flatMap(({ datasourceUid, model }) => [
      ...(datasourceUid === DATA_SOURCE_UID ? [] : ['its data source is not the one that is provisioned']),
      ...(text(object(model)['rawSql']).includes('$') ? ['its query has a $, which provisioning does not expand'] : []),
    ]),
  ];
}
