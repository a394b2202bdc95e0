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
import { hash } from 'node:crypto';
import { RopesweepError } from '../domain/errors.js';
import { groupBy } from '../domain/groupBy.js';
import { id, type CellKey, type ShardId } from '../domain/ids.js';
import { tableAt, type PlannedShard, type ShardCost } from '../domain/plan.js';
import type { TaskKind } from '../domain/task.js';
import type { ModelConfig } from '../model/config.js';
import { cellsCost, type Machine } from './cost.js';
import { cellsWhere, itemAt, type GridBlock, type GridBlockOf } from './grid.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import { plannerOf, type PlannedTask, type PlannedTaskOf } from './tasks/registry.js';
import type { CellPoint } from './tasks/taskPlanner.js';

export const MAXIMUM_DISTINCT_TOKENS = 16_384;
/** Bounds the messages and rows of one shard where prompts are tiny. */
export const MAXIMUM_CELLS = 512;

/** Shards of the sweep's device class, then those of the larger one: cells of two classes share none. */
export function packForClasses(resolved: ResolvedSweep, blocks: readonly GridBlock[], isOnLarger: (key: CellKey) => boolean): PlannedShard[] {
  const { larger } = resolved;
  if (larger === null) return packShards(resolved, blocks);
  return [...packShards(resolved, cellsWhere(blocks, (key) => !isOnLarger(key))), ...packShards({ ...resolved, device: larger }, cellsWhere(blocks, isOnLarger))];
}

/** Puts every cell into exactly one shard of the sweep's device class; the same cells give the same shards. */
export function packShards(resolved: ResolvedSweep, blocks: readonly GridBlock[]): PlannedShard[] {
  const shards: PlannedShard[] = [];
  const packer = new Packer(resolved);
  for (const [armIndex, ofArm] of groupBy(blocks, (block) => block.arm)) {
    const arm = resolved.arms[armIndex];
    if (arm === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${armIndex}` });
    for (const [taskIndex, ofTask] of groupBy(ofArm, (block) => block.task)) {
      const task = resolved.tasks.find(({ index }) => index === taskIndex);
      if (task === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no task ${taskIndex}` });
      for (const ofTable of groupBy(ofTask, ({ contextTokens }) => tableAt(arm.arm, contextTokens).digest).values()) {
        const keys = ofTable.flatMap((block) => block.keys);
        for (const { positions, cost } of packer.pack(arm, task, ofTable)) {
          const cellKeys = positions.map((position) => itemAt(keys, position));
          shards.push({ id: shardId(cellKeys), armId: arm.arm.id, task: taskIndex, deviceClass: resolved.device.name, cellKeys, cost });
        }
      }
    }
  }
  return shards;
}

const shardId = (cellKeys: readonly CellKey[]): ShardId => id<ShardId>(hash('sha256', cellKeys.join(''), 'hex'));

/** A shard, its cells by their positions among those that were packed, block after block. */
interface Packed {
  readonly positions: readonly number[];
  readonly cost: ShardCost;
}

/** Packs cells of one arm, task and table. Arms of a task mostly have the same cells: those are packed once. */
class Packer {
  private readonly known: { readonly task: PlannedTask; readonly config: string; readonly blocks: readonly GridBlock[]; readonly packed: readonly Packed[] }[] = [];

  constructor(private readonly machine: Machine) {}

  pack({ config }: ResolvedArm, task: PlannedTask, blocks: readonly GridBlock[]): readonly Packed[] {
    const architecture = JSON.stringify(config);
    const alike = this.known.find((one) => one.task === task && one.config === architecture && haveSamePoints(one.blocks, blocks));
    if (alike !== undefined) return alike.packed;
    const packed = packTask(this.machine, config, task, blocks);
    this.known.push({ task, config: architecture, blocks, packed });
    return packed;
  }
}

const haveSamePoints = (some: readonly GridBlock[], others: readonly GridBlock[]): boolean =>
  some.length === others.length && some.every(({ contextTokens, axes }, index) => others[index]?.contextTokens === contextTokens && areSame(axes, others[index].axes));

/** Arms share the axes of a task: all of them at once, or those that are left one by one. */
const areSame = (some: readonly unknown[], others: readonly unknown[]): boolean =>
  some === others || (some.length === others.length && some.every((axes, index) => axes === others[index]));

function packTask(machine: Machine, config: ModelConfig, task: PlannedTask, blocks: readonly GridBlock[]): Packed[] {
  switch (task.kind) {
    case 'needle':
      return packPoints(machine, config, task, blocks.flatMap((block) => (block.taskKind === task.kind ? pointsOf(block) : [])));
    case 'perplexity':
      return packPoints(machine, config, task, blocks.flatMap((block) => (block.taskKind === task.kind ? pointsOf(block) : [])));
    case 'attention':
      return packPoints(machine, config, task, blocks.flatMap((block) => (block.taskKind === task.kind ? pointsOf(block) : [])));
  }
}

const pointsOf = <K extends TaskKind>({ contextTokens, axes }: GridBlockOf<K>): CellPoint<K>[] => axes.map((own) => ({ contextTokens, axes: own }));

interface Placed<K extends TaskKind> {
  readonly position: number;
  readonly point: CellPoint<K>;
}

interface Parcel<K extends TaskKind> {
  readonly cells: readonly Placed<K>[];
  readonly tokens: number;
}

function packPoints<K extends TaskKind>(machine: Machine, config: ModelConfig, { kind, shape }: PlannedTaskOf<K>, points: readonly CellPoint<K>[]): Packed[] {
  const planner = plannerOf<K>(kind);
  const placed = points.map((point, position): Placed<K> => ({ position, point }));
  const parcels = [...groupBy(placed, ({ point }) => planner.group(point.axes)).values()].flatMap((together) => groupParcels(together, () => shape.growing(machine.device.keepsKv)));
  return packParcels(parcels).map((packed) => ({
    positions: packed.map(({ position }) => position),
    cost: cellsCost(config, shape, machine, packed.map(({ point }) => point)),
  }));
}

/** Cells that share prefixes, context length by context length. */
function groupParcels<K extends TaskKind>(cells: readonly Placed<K>[], growing: () => (points: readonly CellPoint<K>[]) => number): Parcel<K>[] {
  const parcels: Parcel<K>[] = [];
  let grow = growing();
  let open: Parcel<K> | undefined;
  for (const ofLength of groupBy(cells, ({ point }) => point.contextTokens).values()) {
    const added = ofLength.map(({ point }) => point);
    if (open !== undefined) {
      const joined = [...open.cells, ...ofLength];
      const tokens = joined.length <= MAXIMUM_CELLS ? grow(added) : Infinity;
      if (fits(tokens, joined.length)) {
        open = { cells: joined, tokens };
        continue;
      }
      parcels.push(open);
      grow = growing();
    }
    open = { cells: ofLength, tokens: grow(added) };
  }
  if (open !== undefined) parcels.push(open);
  return parcels;
}

function packParcels<K extends TaskKind>(parcels: readonly Parcel<K>[]): Placed<K>[][] {
  const packed: Placed<K>[][] = [];
  let open: Placed<K>[] = [];
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
