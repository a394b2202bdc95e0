/**
 * The engine at the SmolLM2-135M shape, f32, two threads: prefill beside other engines, turn by turn; a needle grid beside
 * its lower bound and beside the best other engine, which shares no prefixes; operators beside the machine's peak.
 */
import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { Decoder } from '../evaluation/decoder.js';
import { prefixOrder } from '../evaluation/prefixOrder.js';
import { cacheFolder } from '../infra/cacheFolder.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { ropeTable } from '../rope/method.js';
import { ANSWER_ROWS, fitCost, gridPrompts, lowerBound } from './grid.js';
import { peakFigures } from './peak.js';
import { PEER_TITLES, startPeer, type Peer, type PeerName } from './peers.js';
import { best, mean, rateRatio, type BenchOptions, type BenchResult, type Ratio } from './result.js';
import { randomCheckpoint } from './shape.js';

const THREADS = 2;
/** Rounds at each length: long ones take minutes and are less noisy. */
const PREFILLS = [
  { name: '1k', tokens: 1024, rounds: 5 },
  { name: '4k', tokens: 4096, rounds: 3 },
  { name: '16k', tokens: 16_384, rounds: 2 },
] as const;
const REQUIRED: Readonly<Record<PeerName, Readonly<Record<string, number>>>> = {
  sdpa: { '1k': 1, '4k': 1, '16k': 0.9 },
  llamacpp: { '1k': 1.5, '4k': 1.5, '16k': 1.5 },
};
const PEERS = Object.keys(PEER_TITLES) as PeerName[];
const GRID_LENGTHS = [1024, 2048, 4096, 8192];
const QUICK_GRID_LENGTHS = [256, 512, 1024];

type Prefill = (tokens: number) => Promise<number>;
type Seconds = Record<string, number[]>;

export async function engine({ only, quick }: BenchOptions): Promise<BenchResult> {
  const wanted = (name: string): boolean => only.length === 0 || only.some((part) => name.startsWith(part));
  const cache = join(cacheFolder(), 'bench');
  const made = randomCheckpoint(cache);
  const decoder = await Decoder.open(await openCheckpoint(made.folder), { threads: THREADS, dtype: 'f32' });
  const peers = new Map<PeerName, Peer>();
  const peer = async (name: PeerName): Promise<Peer> => {
    const one = peers.get(name) ?? (await startPeer(name, cache, made, THREADS));
    peers.set(name, one);
    return one;
  };
  const figures: Record<string, number> = {};
  const ratios: Record<string, Ratio> = {};
  try {
    if (wanted('linears-of-peak') || wanted('attention-of-peak')) Object.assign(figures, await peakFigures(THREADS));

    for (const { name: length, tokens, rounds } of PREFILLS) {
      const named = PEERS.map((name) => ({ name, ratio: `prefill-vs-${name}@${length}` })).filter(({ ratio }) => wanted(ratio) && !(quick && tokens > 4096));
      if (named.length === 0) continue;
      const runs: Record<string, Prefill> = { ours: (count) => prefill(decoder, count) };
      for (const { name } of named) runs[name] = (await peer(name)).prefill;
      const seconds = await interleave(runs, tokens, quick ? 2 : rounds);
      const ours = tokens / best(seconds['ours'] ?? []);
      for (const { name, ratio } of named) {
        ratios[ratio] = rateRatio(ours, tokens / best(seconds[name] ?? []), 'tokens/s', PEER_TITLES[name], REQUIRED[name][length] ?? 1);
      }
    }

    const peersOfGrid = wanted('grid-vs-peer') ? PEERS : [];
    if (wanted('grid-vs-bound') || peersOfGrid.length > 0) {
      const lengths = quick ? QUICK_GRID_LENGTHS : GRID_LENGTHS;
      const runs: Record<string, Prefill> = { ours: (count) => prefill(decoder, count) };
      for (const name of peersOfGrid) runs[name] = (await peer(name)).prefill;
      const prompts = gridPrompts(lengths);
      const seconds: Record<number, Seconds> = {};
      // The grid stands between two rounds of prefills: a machine that slows down slows both.
      const measure = async (): Promise<void> => {
        for (const tokens of lengths) {
          const more = await interleave(runs, tokens, 2);
          for (const [name, values] of Object.entries(more)) ((seconds[tokens] ??= {})[name] ??= []).push(...values);
        }
      };
      await measure();
      const grid = await gridRun(decoder, prompts);
      await measure();
      const prefillSeconds = (name: string, tokens: number): number => mean(seconds[tokens]?.[name] ?? []);
      const cost = fitCost(lengths.map((tokens) => ({ tokens, seconds: prefillSeconds('ours', tokens) })));
      const bound = lowerBound(prompts, cost);
      figures['grid: prompt tokens'] = prompts.reduce((sum, { length }) => sum + length, 0);
      figures['grid: distinct prompt tokens'] = bound.tokens;
      figures['grid: computed / distinct tokens'] = grid.tokens / bound.tokens;
      figures['grid: seconds'] = grid.seconds;
      figures['seconds a token'] = cost.token;
      figures['seconds a pair'] = cost.pair;
      const rate = prompts.length / grid.seconds;
      if (wanted('grid-vs-bound')) {
        ratios['grid-vs-bound'] = rateRatio(rate, prompts.length / bound.seconds, 'cells/s', 'the lower bound from prefills of this run', 0.95);
      }
      if (peersOfGrid.length > 0) {
        // Its unshared grid takes every prompt from its first token: extrapolated from its prefills at each length.
        const alone = peersOfGrid.map((name) => ({ name, seconds: prompts.reduce((sum, { length }) => sum + prefillSeconds(name, length), 0) }));
        const fastest = alone.reduce((a, b) => (b.seconds < a.seconds ? b : a));
        ratios['grid-vs-peer'] = rateRatio(rate, prompts.length / fastest.seconds, 'cells/s', `every prompt alone, from prefills of ${PEER_TITLES[fastest.name]}`, 1.4);
      }
    }
    return { figures, ratios };
  } finally {
    for (const one of peers.values()) one.close();
    await decoder.dispose();
  }
}

/** Every engine in turn, `rounds` times, after one short run each that warms it up. */
async function interleave(runs: Readonly<Record<string, Prefill>>, tokens: number, rounds: number): Promise<Seconds> {
  const seconds: Seconds = {};
  for (const run of Object.values(runs)) await run(256);
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(runs)) (seconds[name] ??= []).push(await run(tokens));
  }
  return seconds;
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

async function prefill(decoder: Decoder, count: number): Promise<number> {
  decoder.useTable(ropeTable({ name: 'none' }, decoder.checkpoint.geometry, 0), count);
  const tokens = Int32Array.from({ length: count }, (_, index) => 4 + ((index * 37) % 40_000));
  return timed(() => decoder.feed(tokens, { logitRows: 1 }));
}

/** The prompts in prefix order on one cache, with answer rows and probes as a needle cell has them. */
async function gridRun(decoder: Decoder, prompts: readonly Int32Array[]): Promise<{ readonly seconds: number; readonly tokens: number }> {
  decoder.useTable(ropeTable({ name: 'none' }, decoder.checkpoint.geometry, 0), Math.max(...prompts.map(({ length }) => length)));
  const before = decoder.fedTokens;
  const seconds = await timed(async () => {
    for (const { prompt } of prefixOrder(prompts)) {
      const tokens = prompts[prompt] ?? new Int32Array(0);
      decoder.rewind(Math.min(decoder.sharedWith(tokens), tokens.length - ANSWER_ROWS));
      await decoder.feed(tokens.subarray(decoder.length), { logitRows: ANSWER_ROWS, targets: tokens.subarray(0, ANSWER_ROWS), probeRows: ANSWER_ROWS });
    }
  });
  return { seconds, tokens: decoder.fedTokens - before };
}
