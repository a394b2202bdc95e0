/**
 * One run of a sweep: open the servers, plan, submit, keep a worker alive, watch until the end, close everything.
 *
 * The store is the truth throughout: the workflow pulls shards from it, this process reads progress from it, and a
 * run that finds an earlier one's work there goes on with it.
 */
import { classProvider, parseDevice } from '../domain/device.js';
import { RopesweepError } from '../domain/errors.js';
import type { CellKey, SweepId } from '../domain/ids.js';
import type { Plan, PlanClasses, PlannedCell } from '../domain/plan.js';
import type { SweepStatus } from '../domain/ports.js';
import type { CellState, SweepEndState } from '../domain/states.js';
import { assertUsable } from '../evaluation/deviceProbe.js';
import { openConnections, type Connections, type TemporalServerInfo } from '../infra/connections.js';
import { deviceNeeds } from '../infra/cuda.js';
import { isRefined } from '../planner/refineDesign.js';
import { migrate } from '../results/migrate.js';
import { openStore, type PrismaStore } from '../results/store.js';
import { LocalWorker } from './localWorker.js';
import { openWorkflows } from './openWorkflows.js';
import { planSweep, type SweepFile } from './planning.js';
import type { RunDisplay } from './progress.js';
import { Refining } from './refining.js';
import type { Finished, RunEvent } from './runEvents.js';
import { isStopped, Stopped, stopRequests, unlessStopped } from './stopRequests.js';
import { OwnerGone, watch } from './watch.js';

export interface RunSweepOptions {
  readonly home?: string;
  readonly slots?: number;
  /** Submit and leave: a stack that is up, or a cluster, does the rest. */
  readonly detach: boolean;
  readonly display: RunDisplay;
  /** Called with the store still open, after the last cell. */
  readonly atEnd: (store: PrismaStore, home: string) => Promise<void>;
}

/** Everything one attempt has open. */
interface Context {
  readonly sweepFile: SweepFile;
  readonly plan: Plan;
  readonly refining: Refining;
  readonly revision: number;
  readonly connections: Connections;
  readonly store: PrismaStore;
  readonly options: RunSweepOptions;
  readonly stop: AbortSignal;
}

/** @throws RopesweepError STACK_NEEDED for a sweep that is to be left alone where nothing would run it, OPTION_INVALID where only the command can lead it */
export async function runSweep(sweepFile: SweepFile, options: RunSweepOptions): Promise<Finished | Detached> {
  if (options.detach && sweepFile.spec.tasks.some(isRefined)) throw ledByCommand();
  const startedMs = Date.now();
  const { display } = options;
  const stop = stopRequests(() => {
    display.emit({ event: 'notice', message: 'stopping: what is measured is kept, the same command goes on (again to stop at once)' });
  });
  try {
    for (;;) {
      try {
        return await attempt(sweepFile, options, stop.signal, startedMs);
      } catch (error) {
        if (error instanceof Stopped) return neverSubmitted(sweepFile, startedMs);
        if (!(error instanceof OwnerGone)) throw error;
        if (error.takenDown) {
          display.emit({ event: 'notice', message: 'the stack was taken down: what is measured is kept, the same command goes on' });
          return neverSubmitted(sweepFile, startedMs);
        }
        display.emit({ event: 'notice', message: 'the process whose servers this run used is gone: going on with servers of its own' });
      }
    }
  } finally {
    stop.dispose();
  }
}

async function attempt(sweepFile: SweepFile, options: RunSweepOptions, stop: AbortSignal, startedMs: number): Promise<Finished | Detached> {
  const sweep = sweepFile.spec.name as SweepId;
  const { display } = options;
  const notice = (message: string): void => display.emit({ event: 'notice', message });
  const connections = await openConnections({ ...(options.home === undefined ? {} : { home: options.home }), sweep, log: notice });
  let store: PrismaStore | null = null;
  try {
    const { attached } = connections;
    if (options.detach && connections.embedded && attached?.up !== true) throw nothingStays(connections);
    if (attached !== null) display.emit({ event: 'attached', sweep, pid: attached.pid, runs: attached.sweep });
    unlessStopped(stop);
    await migrate(connections.databaseUrl);
    store = await openStore(connections.databaseUrl);
    unlessStopped(stop);
    const planned = await planSweep(sweepFile, store);
    const { plan } = planned;
    display.emit({ event: 'planned', sweep, cells: plan.counts, shards: plan.shards.length });
    unlessStopped(stop);
    const { revision } = await store.submit(sweepFile.spec, plan);
    const refining = new Refining(sweepFile.spec, planned, store, display);
    await refining.extend();
    const context: Context = { sweepFile, plan, refining, revision, connections, store, options, stop };
    if (options.detach && hasWork(context)) {
      await leave(context);
      return { event: 'detached', sweep, revision };
    }
    const ended = await reachEnd(context);
    display.done();
    const members = [...plan.cells, ...refining.cells];
    const cells = await countCells({ ...plan, cells: members }, store);
    const state = ended === 'done' && !reachedAll(members, cells) ? 'incomplete' : ended;
    if (state !== ended) notice('another revision replaced this plan while it ran: some of its cells were not reached');
    const reason = (await store.status(sweep))?.reason ?? null;
    if (!stop.aborted) await options.atEnd(store, connections.home);
    return { event: 'finished', sweep, revision, state, reason, cells, ...refining.totals(), seconds: secondsSince(startedMs) };
  } catch (error) {
    // The owner took its servers with it, whatever this process was doing with them.
    if (isLost(error) && connections.ownerGone()) throw new OwnerGone(connections);
    throw error;
  } finally {
    display.done();
    await store?.close();
    await connections.close();
  }
}

type Detached = Extract<RunEvent, { event: 'detached' }>;

const ledByCommand = (): RopesweepError =>
  new RopesweepError('OPTION_INVALID', {
    where: '--detach',
    what: 'a task of the sweep is refined, and the command chooses the cells of each round from those before',
    mend: 'Leave --detach out (in a terminal multiplexer, or with nohup); whatever happens to it, the same command goes on.',
  });

const nothingStays = ({ home, attached }: Connections): RopesweepError =>
  new RopesweepError('STACK_NEEDED', {
    where: '--detach',
    what: attached === null ? `nothing is up in ${home} that would run the sweep` : `the servers in ${home} belong to the run of ${attached.sweep ?? 'another command'} and end with it`,
    mend: 'Start a stack that stays with ropesweep up, or leave --detach out.',
  });

/** Starts the sweep's workflow and leaves it to those who are there. */
async function leave({ connections, plan }: Context): Promise<void> {
  const workflows = await openWorkflows(await temporalOf(connections));
  try {
    await workflows.start(plan.sweep);
  } finally {
    await workflows.close();
  }
}

const isLost = (error: unknown): boolean => error instanceof RopesweepError && error.code === 'STORE_LOST';

const secondsSince = (startedMs: number): number => Math.round((Date.now() - startedMs) / 10) / 100;

/** A run that was stopped before the store knew of it, or whose store was taken down. */
const neverSubmitted = ({ spec }: SweepFile, startedMs: number): Finished => ({
  event: 'finished',
  sweep: spec.name,
  revision: 0,
  state: 'stopped',
  reason: null,
  cells: { measured: 0, cached: 0, diverged: 0, infeasible: 0, failed: 0 },
  seconds: secondsSince(startedMs),
});

/** Whether the plan or its refinement has cells to compute. */
const hasWork = ({ plan, refining }: Pick<Context, 'plan' | 'refining'>): boolean => plan.counts.new > 0 || refining.openCells > 0;

async function reachEnd(context: Context): Promise<SweepEndState> {
  const { plan, store, connections, options, stop } = context;
  if (hasWork(context)) return compute(context);
  // Nothing to compute: no Temporal, no worker. Whoever runs the sweep already writes its end.
  if (connections.attached === null) return store.finishSweep(plan.sweep, null);
  return watch({ store, sweep: plan.sweep, workflows: null, display: options.display, stop, connections });
}

/** Starts what computes and waits for the end of the sweep. */
async function compute({ sweepFile: { spec }, plan, refining, revision, connections, store, options, stop }: Context): Promise<SweepEndState> {
  const { display } = options;
  const temporal = await temporalOf(connections);
  const ours = connections.embedded && connections.attached === null;
  if (isStopped(stop)) return ours ? store.finishSweep(plan.sweep, 'stopped') : 'stopped';
  const device = parseDevice(classProvider(spec.deviceClass, spec.deviceClasses));
  // The worker of who owns the stack evaluates one class; a sweep of another class brings slots of its own.
  const served = ours ? null : connections.servedClass();
  const brings = ours || (served !== null && served !== spec.deviceClass);
  if (brings && device.provider !== 'cpu') await assertUsable(device, deviceNeeds(device, connections.home));
  if (!brings && connections.embedded && options.slots !== undefined) display.emit({ event: 'notice', message: '--slots says nothing here: the worker of the running stack evaluates the cells' });
  const worker = brings
    ? new LocalWorker({
        home: connections.home,
        environment: connections.workerEnvironment(),
        control: ours,
        deviceClass: spec.deviceClass,
        device,
        ...(options.slots === undefined ? {} : { slots: options.slots }),
        onRestart: (how) => display.emit({ event: 'notice', message: `the worker died (${how}) and is started again` }),
      })
    : null;
  if (ours) connections.serves(spec.deviceClass);
  try {
    const workflows = await openWorkflows(temporal);
    try {
      await workflows.start(plan.sweep);
      display.emit({ event: 'started', sweep: plan.sweep, revision, temporalUi: workflows.uiUrl(plan.sweep) });
      // What the searches of a refinement want next depends on what was measured: each goes on as soon as it can.
      const between = async (status: SweepStatus): Promise<void> => {
        if (!(await refining.goOnMeanwhile(status))) return;
        // A sweep that is not told finds them when it has nothing else to do.
        await workflows.start(plan.sweep).catch(() => undefined);
      };
      for (;;) {
        const watched = watch({ store, sweep: plan.sweep, workflows, display, stop, connections, between });
        const ended = await Promise.race([watched, connections.failed, ...(worker === null ? [] : [worker.failed])]);
        if (!(await refining.goOn(ended))) return ended;
        await workflows.start(plan.sweep);
      }
    } finally {
      await workflows.close();
    }
  } finally {
    await worker?.stop();
    if (isStopped(stop)) {
      // Draining hands shards back after the last look at the store; only then is `stopped` the whole truth.
      const { attached } = connections;
      if (ours) await store.finishSweep(plan.sweep, 'stopped');
      else if (attached !== null && !attached.up && attached.sweep !== plan.sweep) await stopOwn(store, temporal, plan.sweep);
      else display.emit({ event: 'notice', message: `this command stopped watching; the sweep goes on where it runs (ropesweep stop ${plan.sweep} ends it)` });
    }
  }
}

/** A sweep on the servers of another run has nobody else to look after it: what is in flight ends, nothing new is started. */
async function stopOwn(store: PrismaStore, temporal: TemporalServerInfo, sweep: SweepId): Promise<void> {
  await store.steer(sweep, { verb: 'stop' });
  const workflows = await openWorkflows(temporal);
  await workflows.tell(sweep);
  await workflows.close();
}

/** An attached process waits for the owner to start Temporal; one that left before is no error but a turn to take. */
async function temporalOf(connections: Connections): Promise<TemporalServerInfo> {
  try {
    return await connections.temporal();
  } catch (error) {
    if (connections.ownerGone()) throw new OwnerGone(connections);
    throw error;
  }
}

/** Whether every cell of the plan and of its refinement has an end: a smaller revision, submitted meanwhile, takes cells out of the sweep. */
const reachedAll = (members: readonly PlannedCell[], { measured, cached, diverged, infeasible, failed }: Finished['cells']): boolean =>
  measured + cached + diverged + infeasible + failed === members.length;

/**
 * The cells as they ended: cached ones are those that were known before this run. Arms may share a measurement; each has
 * a cell of its own.
 */
async function countCells(plan: Pick<Plan, 'cells'> & PlanClasses, store: PrismaStore): Promise<Finished['cells']> {
  const known = await store.knownCells([plan.cells.map((cell) => cell.key)], plan);
  const cachedBefore = new Set<CellKey>(plan.cells.filter((cell) => cell.state === 'measured' || cell.state === 'diverged').map((cell) => cell.key));
  const computed = plan.cells.filter(({ key }) => !cachedBefore.has(key));
  // What the plan foresaw is not in the store's knowledge, nor does that of the larger class hold for a cell which it gives to its own.
  const endOf = ({ key, state, foreseen }: PlannedCell): CellState => {
    const found = known.get(key);
    return found === undefined || (found.ifTooLarge === true && foreseen === undefined) ? state : found.state;
  };
  const count = (state: CellState): number => computed.filter((cell) => endOf(cell) === state).length;
  return {
    measured: count('measured'),
    cached: plan.cells.length - computed.length,
    diverged: count('diverged'),
    infeasible: count('infeasible'),
    failed: count('failed'),
  };
}
