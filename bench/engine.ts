/**
 * The engine on the starter model, one thread: prefill speed by length, and what prefix sharing saves on the cells of one
 * seed (6 lengths x 5 depths) against evaluating each prompt from its first token.
 */
import { performance } from 'node:perf_hooks';
import { needleTaskSchema } from '../domain/taskSpec.js';
import { Decoder } from '../evaluation/decoder.js';
import { evaluateNeedle } from '../evaluation/needle.js';
import { distinctTokens, prefixOrder } from '../evaluation/prefixOrder.js';
import { packageFile } from '../infra/packageRoot.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { buildPrompt, type Prompt } from '../prompts/build.js';
import { openHaystack, resolveHaystack } from '../prompts/haystack.js';
import { layOut } from '../prompts/layout.js';
import { openPieces } from '../prompts/pieces.js';
import { ropeTable } from '../rope/method.js';
import { median, rateRatio, type BenchResult } from './result.js';

const LENGTHS = [128, 256, 512, 768, 1024, 1536];
const DEPTHS = [0, 0.25, 0.5, 0.75, 1];
const PREFILL_LENGTHS = [512, 1024, 4096];
const ROUNDS = 5;

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

export async function engine(): Promise<BenchResult> {
  const checkpoint = await openCheckpoint(packageFile('models', 'starter', 'yarn-1024'));
  const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
  try {
    const table = ropeTable({ name: 'yarn', factor: 8, betaFast: 32, betaSlow: 1, truncate: true }, checkpoint.geometry, 0);
    const prompts = await demoPrompts(1);
    const figures: Record<string, number> = {};
    for (const length of PREFILL_LENGTHS) {
      decoder.useTable(table, length);
      const tokens = Int32Array.from({ length }, (_, index) => 4 + (index % 92));
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        decoder.rewind(0);
        times.push(await seconds(() => decoder.feed(tokens)));
      }
      figures[`prefill tokens/s at ${String(length)}`] = length / median(times);
    }

    decoder.useTable(table, Math.max(...LENGTHS));
    const order = prefixOrder(prompts.map(({ tokens }) => tokens));
    const evaluate = async (share: boolean): Promise<number> =>
      seconds(async () => {
        decoder.rewind(0);
        for (const { prompt } of order) {
          const one = prompts[prompt];
          if (one === undefined) continue;
          await evaluateNeedle(decoder, one, share ? decoder.sharedWith(one.tokens) : 0, { heads: true });
        }
      });
    const [shared, alone]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      shared.push(await evaluate(true));
      alone.push(await evaluate(false));
    }
    figures['prompt tokens'] = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    figures['distinct prefix tokens'] = distinctTokens(prompts.map(({ tokens }) => tokens), order);
    return {
      figures,
      ratios: {
        'prefix-sharing': rateRatio(prompts.length / median(shared), prompts.length / median(alone), 'cells/s', 'the same cells, each prompt from its first token', 1.5),
      },
    };
  } finally {
    await decoder.dispose();
  }
}

/** The demo's needle prompts of one seed. */
async function demoPrompts(seed: number): Promise<Prompt[]> {
  const file = packageFile('models', 'starter', 'filler.json');
  const { needle, template, haystack } = needleTaskSchema.parse({ kind: 'needle', depths: DEPTHS, haystack: { kind: 'markov', file }, needle: { kind: 'symbols' } });
  const stream = (await openHaystack(await resolveHaystack(haystack, (written) => Promise.resolve(written)), null))(seed);
  const pieces = openPieces(needle, template, null)(seed);
  return LENGTHS.flatMap((contextTokens) => DEPTHS.map((depth) => buildPrompt(pieces, layOut(pieces, { contextTokens, depth, seed }, null), stream)));
}
