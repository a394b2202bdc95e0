/** A sweep of thousands of cheap real cells: 10 arms of the starter models x 4 lengths x 5 depths = 200 cells a seed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../infra/packageRoot.js';

export const SWEEP = 'chaos';
export const CELLS_A_SEED = 200;

export interface WrittenSweep {
  readonly file: string;
  readonly cells: number;
}

/** At least so many cells, in a file in the folder. */
export function writeSweep(folder: string, cells: number): WrittenSweep {
  const models = packageFile('models', 'starter');
  const seeds = Array.from({ length: Math.ceil(cells / CELLS_A_SEED) }, (_, index) => index + 1);
  const file = join(folder, `${SWEEP}.yaml`);
  writeFileSync(
    file,
    `name: ${SWEEP}
# A slot that is killed from outside looks like one that a cell kills: enough attempts that none is quarantined.
maximumAttempts: 20
model:
  name: starter
  base: ${models}/base
  continued: ${models}/{method}-{length}
methods: [none, {name: pi, factor: 8}, {name: ntk, factor: 8}, {name: yarn, factor: 8}]
continualPretrainContextTokens: [null, 256, 1024]
contextTokens: [128, 256, 512, 768]
tasks:
  - kind: needle
    depths: [0, 0.25, 0.5, 0.75, 1]
    seeds: [${seeds.join(', ')}]
    haystack: {kind: markov, file: ${models}/filler.json}
    needle: {kind: symbols}
`,
  );
  return { file, cells: seeds.length * CELLS_A_SEED };
}
