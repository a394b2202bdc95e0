import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../infra/packageRoot.js';

const FOLDERS = ['domain', 'rope', 'prompts', 'model', 'planner', 'runtime', 'evaluation', 'results', 'workflows', 'activities', 'worker', 'cli', 'report', 'dashboards', 'infra'];

/** The output of a tool of the project, whatever its exit code. */
function tool(cwd: string, name: string, ...args: string[]): string {
  try {
    return execFileSync(packageFile('node_modules', '.bin', name), args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  }
}

/** A tree of its own under the project's rules, for files that break them. */
let tree: string;
beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'ropesweep-law-'));
  for (const file of ['.dependency-cruiser.cjs', 'eslint.config.js', 'tsconfig.json', 'tsconfig.check.json', 'package.json']) cpSync(packageFile(file), join(tree, file));
  symlinkSync(packageFile('node_modules'), join(tree, 'node_modules'));
  for (const folder of ['activities', 'results']) cpSync(packageFile(folder), join(tree, folder), { recursive: true });
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

function offender(folder: string, text: string): string {
  mkdirSync(join(tree, folder), { recursive: true });
  writeFileSync(join(tree, folder, 'offender.ts'), text);
  return `${folder}/offender.ts`;
}

describe('the import law', () => {
  it('is kept by every folder', () => {
    expect(tool(packageFile(), 'depcruise', '--output-type', 'err', ...FOLDERS)).toContain('no dependency violations found');
  }, 60_000);

  it('refuses a folder that imports what its line does not name', () => {
    const file = offender('rope', "import { openStore } from '../results/store.js';\nexport const store = openStore;\n");
    expect(tool(tree, 'depcruise', '--output-type', 'err', file)).toContain('import-law-rope');
  }, 60_000);

  it('refuses a second importer of onnxruntime-node and of the Prisma client', () => {
    const engine = offender('evaluation', "import { Tensor } from 'onnxruntime-node';\nexport const T = Tensor;\n");
    expect(tool(tree, 'depcruise', '--output-type', 'err', engine)).toContain('only-runtime-imports-onnxruntime-node');
    const client = offender('planner', "import { Prisma } from '@prisma/client';\nexport const P = Prisma;\n");
    expect(tool(tree, 'depcruise', '--output-type', 'err', client)).toContain('only-results-imports--prisma-client');
  }, 60_000);

  it('is the one that docs/architecture.md prints', () => {
    const docs = readFileSync(packageFile('docs', 'architecture.md'), 'utf8');
    for (const [folder, allowed] of [['workflows', 'domain'], ['rope', 'domain'], ['report', 'domain, results'], ['evaluation', 'domain, rope, prompts, model, runtime']] as const) {
      expect(docs).toMatch(new RegExp(`^\\| ${folder} \\|.*\\| ${allowed} \\|$`, 'm'));
    }
  });
});

describe('the workflow fence', () => {
  it('refuses Node builtins, zod, value imports of activities and floating promises', () => {
    const file = offender(
      'workflows',
      `import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { controlActivities } from '../activities/control.js';
const later = async (): Promise<void> => {};
export const all = [readFileSync, z, controlActivities, process];
later();
`,
    );
    const output = tool(tree, 'eslint', file);
    expect(output).toContain('node:fs');
    expect(output).toContain('zod');
    expect(output).toContain('import type');
    expect(output).toContain("'process'");
    expect(output).toContain('no-floating-promises');
  }, 60_000);
});
