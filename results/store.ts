/**
 * The store on PostgreSQL. Each concern has a file; here is which of them is a transaction.
 */
import type { ArmId, CellKey, ShardId, SweepId, WeightsId } from '../domain/ids.js';
import type { ArmRecall, LiveView } from '../domain/live.js';
import type { CellResult, ShardStats } from '../domain/measurement.js';
import type { Elsewhere, Failure, Page } from '../domain/orchestration.js';
import type { Plan, PlanClasses } from '../domain/plan.js';
import type { FileDigest, HeldShard, KnownCell, KnownScore, Lease, LeasedShard, MeasuredRate, OutcomeRow, Place, QueueSample, Steered, Store, StoreSituation, Submission, SweepStatus, SweepWish, WorkerBeat, WorkerProcess, WorkerRow, WorkerStanding } from '../domain/ports.js';
import type { CellRow, CellsWanted, DivergenceRow, NeedleScoreRow, SweepHead, SweepRows, TaskLength } from '../domain/rows.js';
import type { SweepSpec } from '../domain/spec.js';
import type { ShardState, SweepEndState } from '../domain/states.js';
import { Database } from './database.js';
import { nextShards, steer } from './control.js';
import { cellsInOpenShards, extendSweep, knownScores, type Extension } from './extension.js';
import { endedShards, lease } from './leases.js';
import { deleteSweep } from './deletion.js';
import { readDivergences } from './divergences.js';
import { armRecalls, live, shardStates } from './live.js';
import { fileDigest, knownCells, measuredRates, saveFileDigest } from './planning.js';
import { record } from './recording.js';
import { heldElsewhere } from './elsewhere.js';
import { heartbeatWorker, loseWorker, registerWorker, unregisterWorker, workerProcesses } from './registry.js';
import { retryCells } from './retry.js';
import { prunable, prune, type Prunable } from './pruning.js';
import { deviceClassesInUse, saveQueueSamples } from './queueSamples.js';
import { rescore } from './rescoring.js';
import { cellPages, sweepHead, sweepRows, taskLengths } from './rows.js';
import { needleScorePages } from './scores.js';
import { failShard, finishShard } from './shardEnd.js';
import { situation } from './situation.js';
import { splitShard } from './split.js';
import { storeSize, type StoreSize } from './size.js';
import { outcomes, status, sweeps } from './status.js';
import { submit } from './submission.js';
import { finishSweep, settleSweep } from './sweepEnd.js';

/**
 * Every method may throw RopesweepError STORE_LOST; after PostgreSQL is back the same store works again. Writes are whole
 * or not at all, and safe to say again when the answer was lost.
 */
export class PrismaStore implements Store {
  constructor(private readonly database: Database) {}

  knownCells(pieces: Iterable<readonly CellKey[]>, classes: PlanClasses): Promise<Map<CellKey, KnownCell>> {
    return knownCells(this.database, pieces, classes);
  }

  measuredRates(weightsIds: readonly WeightsId[]): Promise<Map<string, MeasuredRate>> {
    return this.database.read((client) => measuredRates(client, weightsIds));
  }

  fileDigest(path: string, size: number, mtimeMs: number): Promise<string | null> {
    return this.database.read((client) => fileDigest(client, path, size, mtimeMs));
  }

  saveFileDigest(file: FileDigest): Promise<void> {
    return this.database.read((client) => saveFileDigest(client, file));
  }

  /** Rows of an older scorer are scored again before. */
  async submit(spec: SweepSpec, plan: Plan): Promise<Submission> {
    await rescore(this.database);
    return this.database.writeInBulk((transaction, connection) => submit(transaction, connection, spec, plan));
  }

  /** Adds cells that refinement asks for to the current revision. @returns cells that new shards have; null where another plan replaced it or a person holds the sweep */
  extend(extension: Extension): Promise<number | null> {
    return this.database.writeInBulk((transaction, connection) => extendSweep(transaction, connection, extension));
  }

  /** Those of the cells that an open shard has to compute, of whichever arm. */
  async cellsInOpenShards(sweep: SweepId, keys: readonly CellKey[]): Promise<Set<CellKey>> {
    const held = await this.database.read((client) => cellsInOpenShards(client, sweep, keys));
    return new Set(held.map(({ key }) => key));
  }

  /** How needle cells came out; those that have no end yet are absent. */
  knownScores(keys: readonly CellKey[], classes: PlanClasses): Promise<Map<CellKey, KnownScore>> {
    return this.database.read((client) => knownScores(client, keys, classes));
  }

  nextShards(sweep: SweepId, except: readonly ShardId[]): Promise<Page> {
    return this.database.read((client) => nextShards(client, sweep, except));
  }

  endedShards(shards: readonly ShardId[]): Promise<ShardId[]> {
    return this.database.read((client) => endedShards(client, shards));
  }

  lease(shard: ShardId, place: Place): Promise<LeasedShard | null> {
    return this.database.write((transaction) => lease(transaction, shard, place));
  }
  heldElsewhere(shard: ShardId, place: Place, idle: readonly WeightsId[]): Promise<Elsewhere | null> {
    return this.database.read((client) => heldElsewhere(client, shard, place, idle));
  }

  record(held: Lease, place: Place, results: readonly CellResult[]): Promise<void> {
    return this.database.write((transaction) => record(transaction, held, place, results));
  }

  finishShard(held: Lease, stats: ShardStats | null, failure: Failure | null): Promise<number> {
    return this.database.write((transaction) => finishShard(transaction, held, stats, failure));
  }

  splitShard(shard: ShardId, crashes: number): Promise<number> {
    return this.database.write((transaction) => splitShard(transaction, shard, crashes));
  }

  failShard(shard: ShardId, code: string, reason: string, attempts: number): Promise<void> {
    return this.database.write((transaction) => failShard(transaction, shard, code, reason, attempts));
  }

  finishSweep(sweep: SweepId, state: SweepEndState | null, reason: string | null = null): Promise<SweepEndState> {
    return this.database.write((transaction) => finishSweep(transaction, sweep, state, reason));
  }

  settleSweep(sweep: SweepId): Promise<SweepEndState | null> {
    return this.database.write((transaction) => settleSweep(transaction, sweep));
  }

  /** Plans these cells again that failed or ran out of memory. @returns how many */
  retryCells(sweep: SweepId, keys: readonly CellKey[]): Promise<number> {
    return this.database.write((transaction) => retryCells(transaction, sweep, keys));
  }

  /** @returns cells that the sweep had; null if there is none of that name. Throws SWEEP_STATE while it runs. */
  deleteSweep(sweep: SweepId): Promise<number | null> {
    return this.database.write((transaction) => deleteSweep(transaction, sweep));
  }

  steer(sweep: SweepId, wish: SweepWish): Promise<Steered> {
    return this.database.write((transaction) => steer(transaction, sweep, wish));
  }

  registerWorker(worker: WorkerRow): Promise<void> {
    return this.database.write((transaction) => registerWorker(transaction, worker));
  }

  heartbeatWorker(id: string, beat: WorkerBeat): Promise<WorkerStanding | null> {
    return this.database.read((client) => heartbeatWorker(client, id, beat));
  }

  unregisterWorker(worker: WorkerProcess): Promise<void> {
    return this.database.read((client) => unregisterWorker(client, worker));
  }
  workerProcesses(): Promise<WorkerProcess[]> {
    return this.database.read(workerProcesses);
  }
  loseWorker(worker: WorkerProcess): Promise<HeldShard[] | null> {
    return this.database.write((transaction) => loseWorker(transaction, worker));
  }

  /** Device classes whose queues may hold work. */
  deviceClassesInUse(): Promise<string[]> {
    return this.database.read((client) => deviceClassesInUse(client));
  }

  saveQueueSamples(samples: readonly QueueSample[]): Promise<void> {
    return this.database.write((transaction) => saveQueueSamples(transaction, samples));
  }

  status(sweep: SweepId): Promise<SweepStatus | null> {
    return this.database.read((client) => status(client, sweep));
  }

  sweeps(): Promise<SweepStatus[]> {
    return this.database.read((client) => sweeps(client));
  }

  /** null if there is no sweep of that name */
  situation(sweep: SweepId): Promise<StoreSituation | null> {
    return this.database.read((client) => situation(client, sweep));
  }

  outcomes(sweep: SweepId): Promise<OutcomeRow[]> {
    return this.database.read((client) => outcomes(client, sweep));
  }

  /** A sweep with all its cells at once: of one that is small. Throws SWEEP_UNKNOWN. */
  rows(sweep: SweepId): Promise<SweepRows> {
    return this.database.read((client) => sweepRows(client, sweep));
  }

  /** The same without its cells. Throws SWEEP_UNKNOWN. */
  head(sweep: SweepId): Promise<SweepHead> {
    return this.database.read((client) => sweepHead(client, sweep));
  }

  /** Its cells page by page, in the order of {@link rows}. */
  cellPages(head: SweepHead, wanted: CellsWanted): AsyncGenerator<CellRow[]> {
    return this.database.readPages((client) => cellPages(client, head, wanted));
  }

  /** The same of needle cells, with what a report reads of a million of them. */
  needleScores(head: SweepHead, arms: readonly ArmId[], pageCells?: number): AsyncGenerator<NeedleScoreRow[]> {
    return this.database.readPages((client) => needleScorePages(client, head, arms, pageCells));
  }

  taskLengths(sweep: SweepId): Promise<TaskLength[]> {
    return this.database.read((client) => taskLengths(client, sweep));
  }

  /** Of these cells to cells of the sweep, by cell, reference and axis. */
  divergences(sweep: SweepId, keys: readonly CellKey[]): Promise<DivergenceRow[]> {
    return this.database.read((client) => readDivergences(client, sweep, keys));
  }

  /** How everything stands now; in full the sweep asked for, or the first that runs. */
  live(sweep: SweepId | null): Promise<LiveView> {
    return this.database.read((client) => live(client, sweep));
  }

  armRecalls(sweep: SweepId): Promise<ArmRecall[]> {
    return this.database.read((client) => armRecalls(client, sweep));
  }

  shardStates(shards: readonly ShardId[]): Promise<Map<ShardId, ShardState>> {
    return this.database.read((client) => shardStates(client, shards));
  }

  size(): Promise<StoreSize> {
    return this.database.read((client) => storeSize(client));
  }

  prunable(): Promise<Prunable[]> {
    return this.database.read((client) => prunable(client));
  }

  /** Removes what no sweep needs; sweeps may run meanwhile. */
  prune(): Promise<Prunable[]> {
    return prune(this.database);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

/**
 * A store on a migrated database (results/migrate.ts).
 *
 * @throws RopesweepError STORE_LOST if the server does not answer.
 */
export async function openStore(databaseUrl: string): Promise<PrismaStore> {
  const database = new Database(databaseUrl);
  try {
    await database.read((client) => client.$queryRaw`SELECT 1`);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new PrismaStore(database);
}
