// Generated files: the JSON Schema, the dashboards, the tables of the docs. `--check` compares instead of writing.
// Reads dist/, so build first.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { generateSchemas } = await import('../dist/planner/jsonSchema.js');
const { generateDashboards } = await import('../dist/dashboards/generate.js');
const { ERRORS } = await import('../dist/domain/errors.js');

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

const files = { ...generateSchemas(), ...generateDashboards(), 'docs/errors.md': errorTable() };

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
