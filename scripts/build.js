// Prisma client -> TypeScript -> workflow bundle. Runs at `npm ci` (prepare), so that npx ropesweep works at once.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const run = (script, args, env = {}) =>
  execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });

/** The client is generated again only when the schema or Prisma changed. */
function generatePrismaClient() {
  const stamp = join(root, 'results/generated/.stamp');
  const versions = require('prisma/package.json').version;
  const wanted = createHash('sha256').update(versions).update(readFileSync(join(root, 'prisma/schema.prisma'))).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // Generating needs no schema engine, but without a path to one Prisma would try to download it.
  run(require.resolve('prisma/build/index.js'), ['generate'], {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  });
  writeFileSync(stamp, wanted);
}

async function bundleWorkflows() {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'dist/workflows/index.js'),
    logger: new DefaultLogger('WARN'),
  });
  mkdirSync(join(root, 'dist/workflows'), { recursive: true });
  writeFileSync(join(root, 'dist/workflows/bundle.cjs'), code);
}

/** npx looks here first; npm itself links only the commands of dependencies. */
function linkCommand() {
  const link = join(root, 'node_modules/.bin/ropesweep');
  rmSync(link, { force: true });
  symlinkSync('../../bin/ropesweep.js', link);
  chmodSync(join(root, 'bin/ropesweep.js'), 0o755);
}

generatePrismaClient();
rmSync(join(root, 'dist'), { recursive: true, force: true });
run(require.resolve('typescript/bin/tsc'), ['-p', 'tsconfig.json']);
// What runs in a browser is compiled by itself: it has other globals.
run(require.resolve('typescript/bin/tsc'), ['-p', 'cli/open/browser/tsconfig.json']);
await bundleWorkflows();
linkCommand();
