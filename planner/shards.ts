/**
 * Shards: new cells packed so that what shares prompt prefixes is evaluated by one activity.
 *
 * A shard costs about 40 ms of orchestration, and what is lost with it is computed again; so it holds up to
 * MAXIMUM_DISTINCT_TOKENS, which a small model reads in a second and a large one in a minute. Two levels:
 *
 *   parcels   of one arm, task, table and seed: all cells of a context length together, then the next longer ones
 *             while the tree of their prompts stays under the bound (they share the seed's haystack)
 *   shards    parcels of one arm, task and table, one after the other under the same bound
 *
 * A context length whose depths exceed the bound by themselves stays whole: cut, its trunk would be computed twice.
 */
import { digest } from '../domain/identity.js';
import { id, type ShardId } from '../domain/ids.js';
import { tableAt, type PlannedShard } from '../domain/plan.js';
import type { SweepSpec } from '../domain/spec.js';
import { RopesweepError } from '../domain/errors.js';
import { cellsCost } from './cost.js';
import type { GridCell } from './grid.js';
import { groupBy } from '../domain/groupBy.js';
import { prefixSegments, tokensIn } from './prefixSegments.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import type { ResolvedTask } from '../domain/task.js';

export const MAXIMUM_DISTINCT_TOKENS = 16_384;
/** Bounds the messages and rows of one shard where prompts are tiny. */
export const MAXIMUM_CELLS = 512;

interface Parcel {
  readonly cells: readonly GridCell[];
  readonly tokens: number;
}

/** Puts every cell into exactly one shard; the same cells give the same shards. */
export function packShards(spec: SweepSpec, resolved: ResolvedSweep, cells: readonly GridCell[]): PlannedShard[] {
  const shards: PlannedShard[] = [];
  for (const [armIndex, ofArm] of groupBy(cells, (cell) => cell.arm)) {
    const arm = resolved.arms[armIndex];
    if (arm === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${armIndex}` });
    for (const [taskIndex, ofTask] of groupBy(ofArm, (cell) => cell.task)) {
      const task = resolved.tasks[taskIndex];
      if (task === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no task ${taskIndex}` });
      for (const ofTable of groupBy(ofTask, (cell) => tableAt(arm.arm, cell.contextTokens).digest).values()) {
        const parcels = [...groupBy(ofTable, (cell) => cell.axes.seed).values()].flatMap((ofSeed) => seedParcels(task, ofSeed));
        for (const packed of packParcels(parcels)) shards.push(shardOf(spec, arm, taskIndex, task, packed));
      }
    }
  }
  return shards;
}

const distinctTokens = (task: ResolvedTask, cells: readonly GridCell[]): number => tokensIn(prefixSegments(task, cells));

/** Cells of one seed, context length by context length. */
function seedParcels(task: ResolvedTask, cells: readonly GridCell[]): Parcel[] {
  const parcels: Parcel[] = [];
  let open: Parcel | undefined;
  for (const ofLength of groupBy(cells, (cell) => cell.contextTokens).values()) {
    const joined = [...(open?.cells ?? []), ...ofLength];
    const tokens = joined.length <= MAXIMUM_CELLS ? distinctTokens(task, joined) : Infinity;
    if (open === undefined) open = { cells: ofLength, tokens: distinctTokens(task, ofLength) };
    else if (fits(tokens, joined.length)) open = { cells: joined, tokens };
    else {
      parcels.push(open);
      open = { cells: ofLength, tokens: distinctTokens(task, ofLength) };
    }
  }
  if (open !== undefined) parcels.push(open);
  return parcels;
}

function packParcels(parcels: readonly Parcel[]): GridCell[][] {
  const packed: GridCell[][] = [];
  let open: GridCell[] = [];
  let tokens = 0;
  for (const parcel of parcels) {
    if (open.length > 0 && !fits(tokens + parcel.tokens, open.length + parcel.cells.length)) {
      packed.push(open);
      open = [];
      tokens = 0;
    }
    open.push(...parcel.cells);
    tokens += parcel.tokens;
  }
  if (open.length > 0) packed.push(open);
  return packed;
}

const fits = (tokens: number, cells: number): boolean => tokens <= MAXIMUM_DISTINCT_TOKENS && cells <= MAXIMUM_CELLS;

function shardOf(spec: SweepSpec, { arm, config }: ResolvedArm, taskIndex: number, task: ResolvedTask, cells: readonly GridCell[]): PlannedShard {
  const cellKeys = cells.map((cell) => cell.key);
  return {
    id: id<ShardId>(digest(cellKeys)),
    armId: arm.id,
    task: taskIndex,
    cellKeys,
    cost: cellsCost(config, task, spec.dtype, cells),
  };
}
