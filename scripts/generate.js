// Generated files: the JSON Schema, the dashboards, the tables of the docs. `--check` compares instead of writing.
// Reads dist/, so build first.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { generateSchemas } = await import('../dist/planner/jsonSchema.js');
const { generateDashboards } = await import('../dist/dashboards/generate.js');
const { ERRORS } = await import('../dist/domain/errors.js');
const { methodSchema } = await import('../dist/domain/method.js');
const { aboutMethod } = await import('../dist/rope/method.js');
const { EXPORT_SCHEMA_VERSION, TABLES } = await import('../dist/report/export/tables.js');
const { flagOf } = await import('../dist/cli/methodOptions.js');

function errorTable() {
  const rows = Object.entries(ERRORS).map(
    ([code, { what, mend, retryable, exitCode }]) => `| \`${code}\` | ${what} | ${mend} | ${retryable ? 'yes' : 'no'} | ${exitCode} |`,
  );
  return `# Errors

Made from \`domain/errors.ts\` by \`npm run generate\`. A message of the command ends with one of these codes.
Tried again: whether the same work may succeed without a change. Exit codes: 0 done, 1 error, 2 bad input, 3 incomplete.

| code | what happened | what to do | tried again | exit code |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function methodTable() {
  const methods = z.toJSONSchema(methodSchema, { io: 'input' }).oneOf.map(({ description, properties: { name, ...parameters } }) => {
    const { tableDependsOnLength, source } = aboutMethod(name.const);
    return { name: name.const, description, parameters: Object.entries(parameters), tableDependsOnLength, source };
  });
  const summary = methods.map(
    ({ name, description, tableDependsOnLength, source }) => `| \`${name}\` | ${description} | ${tableDependsOnLength ? 'yes' : 'no'} | ${source} |`,
  );
  const parameters = methods.flatMap(({ name, parameters }) =>
    parameters.map(([key, schema]) => `| \`${name}\` | \`${key}\` | \`${flagOf(key)}\` | ${schema.default ?? ''} | ${schema.description ?? ''} |`),
  );
  return `# RoPE methods

Made from \`domain/method.ts\` and \`rope/\` by \`npm run generate\`. Each method is one file of \`rope/\`, with its equation at the top;
\`ropesweep rope NAME ...\` prints its table. All are named alike in a sweep file, by \`ropesweep rope\` and by
\`ropesweep model forward --method NAME\`.

A method yields inverse frequencies and an attention factor that multiplies cos and sin. Its effective scale is plain / method
inverse frequency at the slowest pair, its logit scale the square of the attention factor; both are columns of every report.
Where a table depends on the length, scales are those at the longest context, and prefixes are shared only within a length.

| method | what it is | table depends on the length | source |
| --- | --- | --- | --- |
${summary.join('\n')}

## Parameters

\`factor\` and \`targetContextTokens\` say the same, factor = targetContextTokens / trained context; giving both is allowed where they agree.
The trained context and the rope base are the checkpoint's.

| method | parameter | option | default | meaning |
| --- | --- | --- | --- | --- |
${parameters.join('\n')}

## What a checkpoint names itself

\`rope_scaling\` and \`rope_parameters\` of a config.json are read in the old and the new spelling: \`default\` is none, \`linear\` pi,
\`dynamic\` dynamic-ntk, \`yarn\`, \`longrope\` (also \`su\`) and \`llama3\` are what they are called here. A sweep's method replaces
them, and the plan says so. The trained context is original_max_position_embeddings, or else max_position_embeddings.

## A table of your own

\`custom\` takes \`{"inverseFrequencies": [...], "attentionFactor": a}\` from a JSON file, such as \`ropesweep rope yarn --factor 8 --json\`
prints, or the bare list of frequencies. The file's path is relative to the sweep file; the plan holds the numbers, so that
workers need no file.
`;
}

function exportColumns() {
  const sections = Object.entries(TABLES).map(([rows, { title, columns }]) => {
    const lines = columns.map(({ name, type, unit, meaning, kind }) => `| \`${name}\` | \`${type}\` | ${unit} | ${meaning}${kind === 'circumstance' ? '; *circumstance*' : ''} |`);
    return `## \`--rows ${rows}\`\n\n${title}\n\n| column | type | unit | meaning |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`;
  });
  return `# Columns of exports

Made from \`report/export\` by \`npm run generate\`: schema version ${EXPORT_SCHEMA_VERSION}, the same for CSV, JSON Lines and Parquet ([export.md](export.md)).

${sections.join('\n')}`;
}

const files = { ...generateSchemas(), ...generateDashboards(), 'docs/errors.md': errorTable(), 'docs/methods.md': methodTable(), 'docs/export-columns.md': exportColumns() };

const check = process.argv.includes('--check');
const stale = [];
for (const [path, text] of Object.entries(files)) {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale.push(path);
  if (check) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
if (check && stale.length > 0) {
  console.error(`out of date: ${stale.join(', ')}\nRun \`npm run generate\` and commit the result.`);
  process.exit(1);
}
console.log(check ? `${Object.keys(files).length} generated files are up to date` : `written: ${stale.join(', ') || 'nothing changed'}`);
