/**
 * The child process of one slot: evaluates one job after another and says what it does over the fork's channel.
 * ONNX Runtime computes synchronously, so nothing here answers while a run lasts; the parent heartbeats and kills.
 */
import { parseDevice } from '../domain/device.js';
import { messageOf, outOfMemoryIn, RopesweepError } from '../domain/errors.js';
import type { FromSlot, ShardJob, ToSlot } from '../domain/slot.js';
import { selfTest } from '../evaluation/selfTest.js';
import { Evaluator } from '../evaluation/shard.js';
import { float32Cache } from '../infra/cacheFolder.js';

const threads = Number(process.argv[2] ?? '1');
const device = parseDevice(process.argv[3] ?? 'cpu');
const evaluator = new Evaluator(threads, { ...float32Cache(), onProgress: atMostEvery(5_000, () => say({ kind: 'phase', phase: 'load' })) }, device);

function say(message: FromSlot): void {
  process.send?.(message);
}

/** A load that gets on may take longer than its deadline, which every message of its phase sets anew. */
function atMostEvery(milliseconds: number, act: () => void): () => void {
  let last = 0;
  return () => {
    if (Date.now() - last < milliseconds) return;
    last = Date.now();
    act();
  };
}

async function evaluate(job: ShardJob): Promise<void> {
  say({ kind: 'phase', phase: 'load' });
  const loadSeconds = await evaluator.load(job);
  say({ kind: 'phase', phase: 'run' });
  const stats = await evaluator.run(job, loadSeconds, (result) => say({ kind: 'cell', result }));
  say({ kind: 'done', stats });
}

async function answer(message: ToSlot): Promise<void> {
  try {
    if (message.kind === 'evaluate') {
      await evaluate(message.job);
    } else {
      const difference = await selfTest(threads, device);
      say({ kind: 'selfTested', difference: Number.isFinite(difference) ? difference : null });
    }
  } catch (error) {
    const allocation = outOfMemoryIn(error);
    if (allocation !== null) say({ kind: 'refused', code: 'OUT_OF_MEMORY', message: `out of memory: ${allocation}` });
    else say({ kind: 'refused', code: error instanceof RopesweepError ? error.code : 'INTERNAL', message: messageOf(error) });
  }
}

process.on('message', (message: ToSlot) => void answer(message));
// The worker is gone: nobody wants the numbers.
process.on('disconnect', () => process.exit(0));
// The terminal sends Ctrl-C to the whole group; the worker decides when its slots end.
process.on('SIGINT', () => undefined);
