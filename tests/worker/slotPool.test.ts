import { afterEach, describe, expect, it } from 'vitest';
import { pathToFileURL } from 'node:url';
import type { CellKey, ShardId, WeightsId } from '../../domain/ids.js';
import { id } from '../../domain/ids.js';
import type { CellResult } from '../../domain/measurement.js';
import type { FromSlot, ShardJob } from '../../domain/slot.js';
import { SELF_TEST_TOLERANCE } from '../../evaluation/selfTestTolerance.js';
import { packageFile } from '../../infra/packageRoot.js';
import { nameTable } from '../../rope/tableDigest.js';
import type * as SlotPoolModule from '../../worker/slotPool.js';
import { starterTask } from '../prompts/starterTask.js';

/** Slots are processes: they run what users run, the build. */
const { ForkedSlots } = (await import(pathToFileURL(packageFile('dist', 'worker', 'slotPool.js')).href)) as typeof SlotPoolModule;

const place = { worker: 'test', fingerprint: 'test', engineVersion: 'test', deviceClass: 'cpu' };
const plain = nameTable({ inverseFrequencies: Array.from({ length: 16 }, (_, pair) => 500 ** (-pair / 16)), attentionFactor: 1 });

async function job(cells: number, contextTokens: number, folder = packageFile('models', 'starter', 'base')): Promise<ShardJob> {
  return {
    shardId: id<ShardId>('shard'),
    checkpoint: { folder, weightsId: id<WeightsId>(folder) },
    tables: [plain],
    task: await starterTask(),
    dtype: 'f32',
    flops: 0,
    cells: Array.from({ length: cells }, (_, index) => ({ key: id<CellKey>(`cell-${String(index)}`), contextTokens, table: 0, axes: { depth: index / cells, seed: 1 } })),
  };
}

let pool: InstanceType<typeof ForkedSlots> | null = null;
afterEach(async () => {
  await pool?.close();
  pool = null;
});
const open = (slots: number, minimumPhaseMs?: number): InstanceType<typeof ForkedSlots> =>
  (pool = new ForkedSlots({ slots, threads: 1, place, ...(minimumPhaseMs === undefined ? {} : { minimumPhaseMs }) }));

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Runs a job and calls `atFirstCell` with the slot's pid when its first result arrives. */
async function interrupted(slots: InstanceType<typeof ForkedSlots>, work: ShardJob, signal: AbortSignal, atFirstCell: (pid: number) => void): Promise<{ pid: number; error: unknown; results: number }> {
  let [pid, results] = [-1, 0];
  const onMessage = (message: FromSlot): void => {
    if (message.kind !== 'cell') return;
    results += 1;
    pid = slots.pids[0] ?? -1;
    if (results === 1) atFirstCell(pid);
  };
  const error: unknown = await slots.evaluate(work, onMessage, signal).then(
    () => null,
    (reason: unknown) => reason,
  );
  return { pid, error, results };
}

const never = new AbortController().signal;

describe('slots', () => {
  it('evaluate every cell of a job and count what they computed', async () => {
    const results: CellResult[] = [];
    const stats = await open(1).evaluate(await job(4, 128), (message) => message.kind === 'cell' && results.push(message.result), never);
    expect(results.map(({ state }) => state)).toEqual(['measured', 'measured', 'measured', 'measured']);
    expect(stats.promptTokens).toBe(4 * 128);
    expect(stats.distinctTokens).toBeLessThan(stats.promptTokens);
    expect(stats.computedTokens).toBeGreaterThanOrEqual(stats.distinctTokens);
    expect(stats.loadSeconds).toBeGreaterThan(0);
  });

  it('keep a checkpoint loaded for the next job', async () => {
    const slots = open(2);
    await slots.evaluate(await job(1, 128), () => undefined, never);
    const again = await slots.evaluate(await job(1, 128), () => undefined, never);
    expect(again.loadSeconds).toBe(0);
    expect(slots.pids).toHaveLength(1);
  });

  it('that are killed reject with SLOT_CRASHED, and the next job gets a new process', async () => {
    const slots = open(1);
    const { pid, error } = await interrupted(slots, await job(40, 1024), never, (slot) => process.kill(slot, 'SIGKILL'));
    expect(error).toMatchObject({ code: 'SLOT_CRASHED' });
    await slots.evaluate(await job(1, 128), () => undefined, never);
    expect(slots.pids).not.toContain(pid);
  });

  it('are killed when their job is aborted, and the reason comes back', async () => {
    const slots = open(1);
    const controller = new AbortController();
    const reason = new Error('cancelled by hand');
    const { pid, error, results } = await interrupted(slots, await job(200, 2048), controller.signal, () => controller.abort(reason));
    expect(error).toBe(reason);
    expect(results).toBeLessThan(200);
    await expect.poll(() => alive(pid), { timeout: 30_000 }).toBe(false);
  });

  it('that fall silent are killed past the deadline of their phase', async () => {
    const slots = open(1, 1_500);
    const { pid, error } = await interrupted(slots, await job(200, 2048), never, (slot) => process.kill(slot, 'SIGSTOP'));
    expect(error).toMatchObject({ code: 'SLOT_SILENT' });
    await expect.poll(() => alive(pid), { timeout: 30_000 }).toBe(false);
  });

  it('that refuse a job say why and take the next one', async () => {
    const slots = open(1);
    const missing = await job(1, 128, packageFile('models', 'nowhere'));
    await expect(slots.evaluate(missing, () => undefined, never)).rejects.toMatchObject({ code: 'CHECKPOINT_MISSING' });
    const [before] = slots.pids;
    await slots.evaluate(await job(1, 128), () => undefined, never);
    expect(slots.pids).toEqual([before]);
  });

  it('refuse a table whose numbers are not those its digest names', async () => {
    const honest = await job(1, 128);
    const forged = { ...honest, tables: [{ ...plain, attentionFactor: 1.1 }] };
    await expect(open(1).evaluate(forged, () => undefined, never)).rejects.toMatchObject({ code: 'TABLE_MISMATCH' });
  });

  it('pass their self-test on this machine', async () => {
    expect(await open(1).selfTest()).toBeLessThan(SELF_TEST_TOLERANCE);
  });

  it('end with their pool', async () => {
    const slots = open(1);
    await slots.evaluate(await job(1, 128), () => undefined, never);
    const pids = slots.pids;
    await slots.close();
    expect(pids.filter(alive)).toEqual([]);
  });
});
