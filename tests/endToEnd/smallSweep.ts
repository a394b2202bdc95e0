/** A sweep of the starter models in a folder of its own: 3 arms x 3 lengths x 2 depths x 2 seeds = 36 cells. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../infra/packageRoot.js';

export const SMALL_CELLS = 36;

export function writeSmallSweep(folder: string, name = 'small'): string {
  const models = packageFile('models', 'starter');
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `name: ${name}
model:
  name: starter
  base: ${models}/base
  continued: ${models}/{method}-{length}
methods: [none, {name: ntk, factor: 8}]
continualPretrainContextTokens: [null, 256]
contextTokens: [128, 256, 512]
tasks:
  - kind: needle
    depths: [0, 1]
    seeds: [1, 2]
    haystack: {kind: markov, file: ${models}/filler.json}
    needle: {kind: symbols}
`,
  );
  return file;
}
