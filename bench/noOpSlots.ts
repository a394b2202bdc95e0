/**
 * Slots that return at once, to measure everything around them. Their numbers mean nothing, so they live here, where no sweep can
 * choose them, and take only databases that a benchmark made for itself and drops.
 */
import type { NeedleNumbers } from '../domain/measurement.js';
import type { Place, SlotPool } from '../domain/ports.js';
import { engineVersion } from '../domain/engine.js';

/** Beginning of the name of every database that the numbers may be written to. */
export const BENCH_DATABASE = 'ropesweep_bench_';

const ANSWER_IDS = [130, 141, 152, 163];

/** As small as a needle cell's numbers are: four answer rows, nothing per head. */
const NUMBERS: NeedleNumbers = {
  exactMatch: true,
  tokenRecall: 1,
  stringRecall: null,
  generatedText: null,
  answers: null,
  answerIds: ANSWER_IDS,
  top1Ids: ANSWER_IDS,
  generatedIds: ANSWER_IDS,
  nll: [0.125, 0.25, 0.125, 0.5],
  sumNll: 1,
  tokenCount: ANSWER_IDS.length,
  margins: [2.5, 2.25, 2.75, 2.125],
  entropyFirst: 2.25,
  entropy: 2.25,
  entropyTeacherForced: 2.25,
  entropyOfMean: 2.5,
  entropyNormalized: 0.5,
  maxProbability: 0.25,
  sinkMass: 0.25,
  sinkMass4: 0.375,
  localMass: 0.25,
  localTokens: 64,
  needleMass: 0.125,
  needleLift: 4,
  retrievalScore: 0.0625,
  heads: null,
  layers: 4,
  headCount: 4,
  needleStart: 16,
  needleTokens: 6,
  tokenDigest: '0'.repeat(64),
};

const NOTHING = { promptTokens: 0, distinctTokens: 0, computedTokens: 0, completionTokens: 0, loadSeconds: 0, runSeconds: 0 };

/** @throws Error unless the database is a benchmark's own */
export function noOpSlots(databaseUrl: string, worker: string): SlotPool {
  if (!new URL(databaseUrl).pathname.slice(1).startsWith(BENCH_DATABASE)) throw new Error('slots that measure nothing write to databases of benchmarks alone');
  const place: Place = { worker, fingerprint: 'no engine', engineVersion: engineVersion('cpu'), deviceClass: 'cpu' };
  return {
    place,
    idleCheckpoints: [],
    reserve: () => Promise.resolve(() => undefined),
    evaluate: (job, onMessage) => {
      for (const { key } of job.cells) onMessage({ kind: 'cell', result: { key, state: 'measured', seconds: 0, needle: NUMBERS } });
      return Promise.resolve(NOTHING);
    },
    close: () => Promise.resolve(),
  };
}
