/** What becomes of cells whose slot dies of memory: real limits on real processes. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { CellKey, ShardId, WeightsId } from '../../domain/ids.js';
import { id } from '../../domain/ids.js';
import type { CellResult } from '../../domain/measurement.js';
import type { FromSlot, ShardJob } from '../../domain/slot.js';
import { packageFile } from '../../infra/packageRoot.js';
import { nameTable } from '../../rope/tableDigest.js';
import type * as SlotPoolModule from '../../worker/slotPool.js';
import { starterTask } from '../prompts/starterTask.js';

/** Slots are processes: they run what users run, the build. */
const POOL = pathToFileURL(packageFile('dist', 'worker', 'slotPool.js')).href;
const { ForkedSlots } = (await import(POOL)) as typeof SlotPoolModule;

const place = { worker: 'test', fingerprint: 'test', engineVersion: 'test', deviceClass: 'cpu' };
const plain = nameTable({ inverseFrequencies: Array.from({ length: 16 }, (_, pair) => 500 ** (-pair / 16)), attentionFactor: 1 });
const never = new AbortController().signal;
/** FAR: keys and values of one layer are 403 MB in float32, which the attention operator gives back anew in its first run. */
const [SHORT, LONG, FAR] = [128, 4096, 2 ** 19];

async function job(lengths: readonly number[] = [SHORT, LONG]): Promise<ShardJob> {
  const folder = packageFile('models', 'starter', 'base');
  const cells = lengths.flatMap((contextTokens) =>
    [1, 2, 3, 4].map((seed) => ({ key: id<CellKey>(`${String(contextTokens)}-${String(seed)}`), contextTokens, table: 0, axes: { depth: 0.5, seed } })),
  );
  return { shardId: id<ShardId>('shard'), checkpoint: { folder, weightsId: id<WeightsId>(folder) }, tables: [plain], task: await starterTask(), dtype: 'f32', flops: 0, cells };
}

let pool: InstanceType<typeof ForkedSlots> | null = null;
afterEach(async () => {
  await pool?.close();
  pool = null;
});

/** Results of a job, by key; `take` gets the slot's process id when its first result comes. */
async function evaluate(take: (pid: number) => void, environment: Readonly<Record<string, string>> = {}): Promise<Map<CellKey, CellResult>> {
  const slots = (pool = new ForkedSlots({ slots: 1, threads: 1, place, environment }));
  const results = new Map<CellKey, CellResult>();
  const onMessage = (message: FromSlot): void => {
    if (message.kind !== 'cell') return;
    expect(results.has(message.result.key)).toBe(false);
    results.set(message.result.key, message.result);
    if (results.size === 1) take(slots.pids[0] ?? 0);
  };
  await slots.evaluate(await job(), onMessage, never);
  return results;
}

/** Every cell has one result: those of these lengths are infeasible for want of memory, the others are measured. */
async function expectInfeasible(results: Map<CellKey, CellResult>, infeasible: readonly number[], measured: readonly number[]): Promise<void> {
  for (const { key, contextTokens } of (await job([...infeasible, ...measured])).cells) {
    const expected = infeasible.includes(contextTokens)
      ? { state: 'infeasible', code: 'OUT_OF_MEMORY', reason: expect.stringContaining('out of memory') as string }
      : { state: 'measured' };
    expect(results.get(key)).toMatchObject(expected);
  }
}

/** A worker of its own that evaluates the job it is given and prints the results. */
const WORKER = `
  const { ForkedSlots } = await import(process.argv[2]);
  const [place, job] = JSON.parse(process.argv[3]);
  const slots = new ForkedSlots({ slots: 1, threads: 1, place });
  const results = [];
  await slots.evaluate(job, (message) => message.kind === 'cell' && results.push(message.result), new AbortController().signal);
  await slots.close();
  console.log(JSON.stringify(results));
`;

/** Results of a job in a worker whose processes together get so much memory. */
async function evaluateWithin(folder: string, bytes: number): Promise<Map<CellKey, CellResult>> {
  writeFileSync(`${folder}/memory.limit_in_bytes`, String(bytes));
  const input = JSON.stringify([place, await job([SHORT, FAR])]);
  const home = mkdtempSync(path.join(tmpdir(), 'ropesweep-memory-'));
  try {
    const script = path.join(home, 'worker.mjs');
    writeFileSync(script, WORKER);
    const { stdout } = await promisify(execFile)('sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder, process.execPath, script, POOL, input]);
    const results = JSON.parse(stdout) as CellResult[];
    return new Map(results.map((result) => [result.key, result]));
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** A memory cgroup of ours; null where this machine lets us make none. */
function memoryCgroup(): string | null {
  const folder = `/sys/fs/cgroup/memory/ropesweep-test-${String(process.pid)}`;
  try {
    mkdirSync(folder);
    return folder;
  } catch {
    return null;
  }
}
const cgroup = memoryCgroup();
afterAll(() => {
  if (cgroup !== null) rmdirSync(cgroup);
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

describe('the longest cells of a job are infeasible and the others measured', () => {
  it.skipIf(!hasPrlimit)('when its slot gets no more memory', async () => {
    const results = await evaluate((pid) => execFileSync('prlimit', ['--pid', String(pid), '--data=1']));
    await expectInfeasible(results, [LONG], [SHORT]);
  });

  it.skipIf(cgroup === null)('when the kernel kills its slot for memory', async () => {
    await expectInfeasible(await evaluateWithin(cgroup ?? '', 400 * 2 ** 20), [FAR], [SHORT]);
  });
});

describe('a slot that cannot open a checkpoint for want of memory', () => {
  // What fails first differs from slot to slot: opening a file, or the heap; where the slot died of it another one goes on.
  it.skipIf(!hasPrlimit).each([1, 2, 3])('says so and not that it is missing (slot %s)', async () => {
    pool = new ForkedSlots({ slots: 1, threads: 1, place });
    await pool.selfTest();
    const slot = String(pool.pids[0]);
    const usedBytes = 1024 * Number(/VmSize:\s+(\d+) kB/.exec(readFileSync(`/proc/${slot}/status`, 'utf8'))?.[1]);
    execFileSync('prlimit', ['--pid', slot, `--as=${String(usedBytes)}`]);
    const results = new Map<CellKey, CellResult>();
    await pool.evaluate(await job(), (message) => message.kind === 'cell' && results.set(message.result.key, message.result), never);
    expect(results.size).toBe(8);
    await expectInfeasible(results, [LONG], []);
    for (const result of results.values()) if (result.state !== 'measured') expect(result).toMatchObject({ state: 'infeasible', code: 'OUT_OF_MEMORY' });
  });
});

describe('all cells of a job are infeasible', () => {
  it('when no slot has the memory to start on it', async () => {
    const results = await evaluate(() => undefined, { NODE_OPTIONS: '--max-old-space-size=8' });
    await expectInfeasible(results, [SHORT, LONG], []);
  });
});
