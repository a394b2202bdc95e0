/**
 * Shards: new cells packed so that what shares prompt prefixes is evaluated by one activity.
 *
 * A shard costs about 40 ms of orchestration, and what is lost with it is computed again; so it holds up to
 * MAXIMUM_DISTINCT_TOKENS, which a small model reads in a second and a large one in a minute. Two levels:
 *
 *   parcels   of one arm, task, table and seed (or document): all cells of a context length together, then the next
 *             longer ones while the tree of their prompts stays under the bound (they share haystack or text)
 *   shards    parcels of one arm, task and table, one after the other under the same bound
 *
 * A context length whose depths exceed the bound by themselves stays whole: cut, its trunk would be computed twice.
 */
import { RopesweepError } from '../domain/errors.js';
import { groupBy } from '../domain/groupBy.js';
import { digest } from '../domain/identity.js';
import { id, type CellKey, type ShardId } from '../domain/ids.js';
import { tableAt, type PlannedShard } from '../domain/plan.js';
import type { TaskKind } from '../domain/task.js';
import { cellsCost, type Machine } from './cost.js';
import type { GridCell } from './grid.js';
import { tokensIn } from './prefixSegments.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import { plannerOf, type PlannedTask, type PlannedTaskOf } from './tasks/registry.js';
import type { CellPoint } from './tasks/taskPlanner.js';

export const MAXIMUM_DISTINCT_TOKENS = 16_384;
/** Bounds the messages and rows of one shard where prompts are tiny. */
export const MAXIMUM_CELLS = 512;

interface Parcel<Cell> {
  readonly cells: readonly Cell[];
  readonly tokens: number;
}

/** Puts every cell into exactly one shard; the same cells give the same shards. */
export function packShards(resolved: ResolvedSweep, cells: readonly GridCell[]): PlannedShard[] {
  const shards: PlannedShard[] = [];
  for (const [armIndex, ofArm] of groupBy(cells, (cell) => cell.arm)) {
    const arm = resolved.arms[armIndex];
    if (arm === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${armIndex}` });
    for (const [taskIndex, ofTask] of groupBy(ofArm, (cell) => cell.task)) {
      const task = resolved.tasks.find(({ index }) => index === taskIndex);
      if (task === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no task ${taskIndex}` });
      shards.push(...taskShards(resolved, arm, task, ofTask));
    }
  }
  return shards;
}

function taskShards(machine: Machine, arm: ResolvedArm, task: PlannedTask, cells: readonly GridCell[]): PlannedShard[] {
  switch (task.kind) {
    case 'needle':
      return shardsOf(machine, arm, task, cells.filter((cell) => cell.taskKind === task.kind));
    case 'perplexity':
      return shardsOf(machine, arm, task, cells.filter((cell) => cell.taskKind === task.kind));
    case 'attention':
      return shardsOf(machine, arm, task, cells.filter((cell) => cell.taskKind === task.kind));
  }
}

/** A cell of one kind of task. */
interface KeyedPoint<K extends TaskKind> extends CellPoint<K> {
  readonly key: CellKey;
}

function shardsOf<K extends TaskKind>(machine: Machine, { arm, config }: ResolvedArm, { kind, index, shape }: PlannedTaskOf<K>, cells: readonly KeyedPoint<K>[]): PlannedShard[] {
  const planner = plannerOf<K>(kind);
  const tokensOf = (points: readonly KeyedPoint<K>[]) => tokensIn(shape.segments(points, machine.device.keepsKv));
  return [...groupBy(cells, (cell) => tableAt(arm, cell.contextTokens).digest).values()].flatMap((ofTable) => {
    const parcels = [...groupBy(ofTable, (cell) => planner.group(cell.axes)).values()].flatMap((together) => groupParcels(together, tokensOf));
    return packParcels(parcels).map((packed): PlannedShard => {
      const cellKeys = packed.map((cell) => cell.key);
      return { id: id<ShardId>(digest(cellKeys)), armId: arm.id, task: index, cellKeys, cost: cellsCost(config, shape, machine, packed) };
    });
  });
}

/** Cells that share prefixes, context length by context length. */
function groupParcels<Cell extends { readonly contextTokens: number }>(cells: readonly Cell[], tokensOf: (cells: readonly Cell[]) => number): Parcel<Cell>[] {
  const parcels: Parcel<Cell>[] = [];
  let open: Parcel<Cell> | undefined;
  for (const ofLength of groupBy(cells, (cell) => cell.contextTokens).values()) {
    const joined = [...(open?.cells ?? []), ...ofLength];
    const tokens = joined.length <= MAXIMUM_CELLS ? tokensOf(joined) : Infinity;
    if (open === undefined) open = { cells: ofLength, tokens: tokensOf(ofLength) };
    else if (fits(tokens, joined.length)) open = { cells: joined, tokens };
    else {
      parcels.push(open);
      open = { cells: ofLength, tokens: tokensOf(ofLength) };
    }
  }
  if (open !== undefined) parcels.push(open);
  return parcels;
}

function packParcels<Cell>(parcels: readonly Parcel<Cell>[]): Cell[][] {
  const packed: Cell[][] = [];
  let open: Cell[] = [];
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
