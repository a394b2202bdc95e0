/**
 * Haystack kind `markov`: a first-order Markov chain over token ids.
 *
 * The first symbol is uniform. Then with probability jumpProbability a uniform symbol, else the successor of rank
 * min(last, floor(-rankScale ln(1 - u))), u uniform in [0, 1): ranks fall off like e^(-rank / rankScale).
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { firstFew, RopesweepError, whyUnreadable, type Problem } from '../domain/errors.js';
import type { HaystackSpec } from '../domain/spec.js';
import type { MarkovHaystack } from '../domain/task.js';
import type { HaystackKind } from './haystackKind.js';
import { randomStream } from '../domain/random.js';
import { idStream } from './stream.js';

const fileSchema = z.object({
  firstFillerId: z.int().nonnegative(),
  successors: z.array(z.array(z.int().nonnegative()).min(1)).min(1),
});

export const markov: HaystackKind<'markov'> = {
  version: 1,

  async resolve(spec, resolvePath) {
    const { firstFillerId, successors } = parseChain(spec, await readChain(spec.file, await resolvePath(spec.file)));
    return { kind: 'markov', firstFillerId, successors, jumpProbability: spec.jumpProbability, rankScale: spec.rankScale };
  },

  identity: (haystack) => ({ ...haystack }),

  open(haystack) {
    return Promise.resolve((seed) => {
      const random = randomStream('haystack/markov', seed);
      const symbols = haystack.successors.length;
      let symbol: number | undefined;
      return idStream(() => {
        symbol = symbol === undefined || random.fraction() < haystack.jumpProbability
          ? random.below(symbols)
          : successor(haystack, symbol, random.fraction());
        return haystack.firstFillerId + symbol;
      });
    });
  },

  idRanges: (haystack) => [{ name: 'filler', first: haystack.firstFillerId, count: haystack.successors.length }],
};

function successor(haystack: MarkovHaystack, symbol: number, u: number): number {
  const ranks = haystack.successors[symbol] ?? [];
  const rank = Math.min(ranks.length - 1, Math.floor(-haystack.rankScale * Math.log(1 - u)));
  return ranks[rank] ?? symbol;
}

async function readChain(written: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RopesweepError('SPEC_INVALID', { where: written, what: `${whyUnreadable(cause)}: ${file}`, mend: 'Correct the path (relative to the sweep file).' }, { cause });
  }
}

function parseChain(spec: Extract<HaystackSpec, { kind: 'markov' }>, text: string): z.infer<typeof fileSchema> {
  const mend = 'Write {"firstFillerId": ID, "successors": [[symbol, ...], ...]} with symbols counted from 0.';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RopesweepError('SPEC_INVALID', { where: spec.file, what: 'the haystack file is not JSON', mend }, { cause });
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => ({ where: `${spec.file} ${z.core.toDotPath(path)}`.trim(), what: message, mend }));
    throw new RopesweepError('SPEC_INVALID', firstFew(wrong));
  }
  const symbols = parsed.data.successors.length;
  const strays = parsed.data.successors.flatMap((ranks, symbol) =>
    ranks.flatMap((next, rank): Problem[] =>
      next < symbols
        ? []
        : [{ where: `${spec.file} successors[${symbol}][${rank}]`, what: `symbol ${next} does not exist: the chain has ${symbols}`, mend: `Use 0 to ${symbols - 1}.` }],
    ),
  );
  if (strays.length > 0) throw new RopesweepError('SPEC_INVALID', firstFew(strays));
  return parsed.data;
}
