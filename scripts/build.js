// Prisma client -> TypeScript -> workflow bundle. Runs at `npm ci` (prepare), so that npx ropesweep works at once.
// With --unchecked types are left to `npm run check`, which looks at those of the tests too.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const run = (script, args = []) => execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });

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

run(join(root, 'scripts/prismaClient.js'));
rmSync(join(root, 'dist'), { recursive: true, force: true });
run(require.resolve('typescript/bin/tsc'), ['-p', 'tsconfig.json', ...(process.argv.includes('--unchecked') ? ['--noCheck'] : [])]);
// What runs in a browser is compiled by itself: it has other globals.
run(require.resolve('typescript/bin/tsc'), ['-p', 'cli/open/browser/tsconfig.json']);
await bundleWorkflows();
linkCommand();
