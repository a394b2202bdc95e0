/**
 * The slots of one worker: a child process each, kept between jobs so that a loaded checkpoint is used again.
 *
 * A child is killed when its job is aborted, when it passes the deadline of its phase, or when it ends a job without
 * an answer. A killed or crashed child is replaced by a new one at the next job.
 *
 * A child that dies of memory says nothing of the cell it died of, so the longest cells of its job are given up as
 * infeasible (the memory of a shard is that of its longest context) and a new child evaluates the rest.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CPU, deviceText, type Device } from '../domain/device.js';
import { ERRORS, RopesweepError, tellsOutOfMemory, type ErrorCode } from '../domain/errors.js';
import type { CellKey, WeightsId } from '../domain/ids.js';
import type { ShardStats } from '../domain/measurement.js';
import type { Place, SlotPool } from '../domain/ports.js';
import { withCells, type FromSlot, type ShardJob, type ToSlot } from '../domain/slot.js';
import { lastWords, outOfMemoryKills } from './memoryDeath.js';

/** A phase may take the larger of this and 5 x its prediction. */
export const MINIMUM_PHASE_MS = 60_000;
/** FLOP/s of one slow core: the prediction must not be optimistic. */
const PREDICTED_FLOPS_PER_SECOND = 2e9;

export interface SlotPoolOptions {
  readonly slots: number;
  /** Threads of ONNX Runtime in each slot. */
  readonly threads: number;
  /** The device all slots run on; the CPU if absent. */
  readonly device?: Device;
  /** What slots find their device's libraries by. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly place: Place;
  readonly minimumPhaseMs?: number;
}

interface Slot {
  readonly child: ChildProcess;
  /** The end of what it wrote to its stderr. */
  readonly words: () => string;
  /** Which checkpoint it holds: the next job of the same one is given to it. */
  weightsId: WeightsId | null;
}

export class ForkedSlots implements SlotPool {
  readonly place: Place;
  private readonly idle: Slot[] = [];
  private readonly busy = new Set<Slot>();
  private reserved = 0;
  private readonly freed = new EventEmitter();

  constructor(private readonly options: SlotPoolOptions) {
    this.place = options.place;
  }

  /** Process ids of all children, busy ones first. */
  get pids(): number[] {
    return [...this.busy, ...this.idle].flatMap(({ child }) => child.pid ?? []);
  }

  /** Checkpoints that its children hold, each once. */
  get loaded(): WeightsId[] {
    return [...new Set([...this.busy, ...this.idle].flatMap(({ weightsId }) => weightsId ?? []))];
  }

  get idleCheckpoints(): WeightsId[] {
    return [...new Set(this.idle.flatMap(({ weightsId }) => weightsId ?? []))];
  }

  async reserve(limitMs: number, signal: AbortSignal): Promise<(() => void) | null> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    while (this.reserved >= this.options.slots) {
      if (limit.aborted) {
        signal.throwIfAborted();
        return null;
      }
      await once(this.freed, 'slot', { signal: limit }).catch(() => undefined);
    }
    this.reserved += 1;
    return () => {
      this.reserved -= 1;
      this.freed.emit('slot');
    };
  }

  async evaluate(job: ShardJob, onMessage: (message: FromSlot) => void, signal: AbortSignal): Promise<ShardStats> {
    const told = new Set<CellKey>();
    const tell = (message: FromSlot): void => {
      if (message.kind === 'cell') told.add(message.result.key);
      onMessage(message);
    };
    for (let open = job; ; ) {
      try {
        return await this.attempt(open, tell, signal);
      } catch (error) {
        if (!(error instanceof RopesweepError) || error.code !== 'OUT_OF_MEMORY') throw error;
        const left = withCells(open, ({ key }) => !told.has(key));
        const longest = Math.max(...left.cells.map(({ contextTokens }) => contextTokens));
        for (const { key, contextTokens } of left.cells) {
          if (contextTokens === longest) tell({ kind: 'cell', result: { key, state: 'infeasible', code: error.code, reason: error.message } });
        }
        open = withCells(left, ({ key }) => !told.has(key));
        if (open.cells.length === 0) return NOTHING_COUNTED;
      }
    }
  }

  private attempt(job: ShardJob, onMessage: (message: FromSlot) => void, signal: AbortSignal): Promise<ShardStats> {
    const { weightsId } = job.checkpoint;
    const predictedMs = (job.flops / PREDICTED_FLOPS_PER_SECOND) * 1000;
    return this.withSlot(weightsId, (slot) => {
      const read = (message: FromSlot): ShardStats | null => {
        onMessage(message);
        return message.kind === 'done' ? message.stats : null;
      };
      return this.converse(slot, { kind: 'evaluate', job }, read, predictedMs, signal);
    }, signal);
  }

  /** Largest difference of fused and reference attention on this device; null if not finite. */
  async selfTest(): Promise<number | null> {
    const { signal } = new AbortController();
    const read = (message: FromSlot): { difference: number | null } | null => (message.kind === 'selfTested' ? message : null);
    const { difference } = await this.withSlot(null, (slot) => this.converse(slot, { kind: 'selfTest' }, read, 0, signal), signal);
    return difference;
  }

  private async withSlot<Result>(weightsId: WeightsId | null, work: (slot: Slot) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    const slot = this.take(weightsId);
    try {
      const result = await work(slot);
      slot.weightsId = weightsId;
      this.idle.push(slot);
      return result;
    } catch (error) {
      // A child that refused a job is whole; any other end leaves it in the middle of something.
      if (error instanceof SlotRefusal && isAlive(slot.child)) {
        slot.weightsId = null;
        this.idle.push(slot);
        throw error.reason;
      }
      slot.child.kill('SIGKILL');
      throw error instanceof SlotRefusal ? error.reason : error;
    } finally {
      this.busy.delete(slot);
    }
  }

  async close(): Promise<void> {
    const slots = [...this.idle, ...this.busy];
    this.idle.length = 0;
    await Promise.all(
      slots.map(async ({ child }) => {
        if (!isAlive(child)) return;
        const exited = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await exited;
      }),
    );
  }

  /** An idle child that holds the checkpoint, else an empty place, else any idle child. */
  private take(weightsId: WeightsId | null): Slot {
    for (let index = this.idle.length - 1; index >= 0; index -= 1) {
      const slot = this.idle[index];
      if (slot === undefined || !isAlive(slot.child) || !slot.child.connected) this.idle.splice(index, 1);
    }
    const warm = this.idle.findIndex((slot) => slot.weightsId === weightsId);
    const full = this.idle.length + this.busy.size >= this.options.slots;
    const [found] = warm >= 0 ? this.idle.splice(warm, 1) : full ? this.idle.splice(0, 1) : [];
    const slot = found ?? this.start();
    this.busy.add(slot);
    return slot;
  }

  private start(): Slot {
    const child = fork(fileURLToPath(new URL('./slot.js', import.meta.url)), [String(this.options.threads), deviceText(this.options.device ?? CPU)], {
      env: { ...process.env, ...this.options.environment },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    // A message to a child that was just killed fails on its channel; its exit says all there is to say.
    child.on('error', () => undefined);
    return { child, words: lastWords(child.stderr), weightsId: null };
  }

  /** Sends one message and waits for the answer that `read` recognises; every phase has its deadline. */
  private converse<Result>(
    { child, words }: Slot,
    request: ToSlot,
    read: (message: FromSlot) => Result | null,
    predictedMs: number,
    signal: AbortSignal,
  ): Promise<Result> {
    const phaseMs = Math.max(this.options.minimumPhaseMs ?? MINIMUM_PHASE_MS, 5 * predictedMs);
    return new Promise((resolve, reject) => {
      let phase = 'start';
      const killsBefore = outOfMemoryKills();
      const fail = (code: 'SLOT_SILENT' | 'SLOT_CRASHED' | 'OUT_OF_MEMORY', what: string): void => {
        end();
        reject(new RopesweepError(code, { where: `slot ${String(child.pid)}`, what }));
      };
      const onSilence = (): void => fail('SLOT_SILENT', `phase ${phase} did not end within ${String(phaseMs)} ms`);
      let deadline = setTimeout(onSilence, phaseMs);
      const onClose = (exitCode: number | null, exitSignal: string | null): void => {
        const ofMemory = exitSignal === 'SIGKILL' ? outOfMemoryKills() > killsBefore : tellsOutOfMemory(words());
        const how = `the process ended by ${exitSignal ?? `exit code ${String(exitCode)}`} in phase ${phase}`;
        fail(ofMemory ? 'OUT_OF_MEMORY' : 'SLOT_CRASHED', ofMemory ? `out of memory: ${how}` : how);
      };
      const onError = (error: Error): void => fail('SLOT_CRASHED', error.message);
      const onAbort = (): void => {
        end();
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const onMessage = (message: FromSlot): void => {
        if (message.kind === 'phase') {
          phase = message.phase;
          clearTimeout(deadline);
          deadline = setTimeout(onSilence, phaseMs);
        }
        const result = read(message);
        if (message.kind !== 'refused' && result === null) return;
        end();
        if (message.kind === 'refused') reject(new SlotRefusal(message.code, message.message));
        else if (result !== null) resolve(result);
      };
      const end = (): void => {
        clearTimeout(deadline);
        child.off('close', onClose);
        child.off('error', onError);
        child.off('message', onMessage);
        signal.removeEventListener('abort', onAbort);
      };
      // Not at its exit: what it wrote last is read only when its pipes are closed.
      child.on('close', onClose);
      child.on('error', onError);
      child.on('message', onMessage);
      signal.addEventListener('abort', onAbort);
      child.send(request);
    });
  }
}

/** Of a job whose child died: what it computed is not known. */
const NOTHING_COUNTED: ShardStats = { promptTokens: 0, distinctTokens: 0, computedTokens: 0, completionTokens: 0, loadSeconds: 0, runSeconds: 0 };

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** The child answered that it cannot do the job; it is whole and may get another. */
class SlotRefusal extends Error {
  readonly reason: RopesweepError;

  constructor(code: string, message: string) {
    super(message);
    this.reason = new RopesweepError(code in ERRORS ? (code as ErrorCode) : 'INTERNAL', { where: 'slot', what: message });
  }
}
