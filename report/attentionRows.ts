/** Attention tasks -> what their tables show: per arm and context length the entropy, and the divergence to each reference on each axis. */
import { groupBy } from '../domain/groupBy.js';
import type { ArmRow } from '../domain/rows.js';
import type { AttentionCell } from './attentionCells.js';
import type { Gathered } from './gathered.js';

export interface AttentionRow extends Pick<AttentionCell, 'contextTokens' | 'state' | 'numbers' | 'divergences'> {
  readonly arm: ArmRow;
}

export interface AttentionTable {
  /** Index into the spec's tasks. */
  readonly task: number;
  /** By arm in the order of the spec, then length. */
  readonly rows: readonly AttentionRow[];
}

export function attentionTables({ arms, attention }: Pick<Gathered, 'arms' | 'attention'>): AttentionTable[] {
  const byId = new Map(arms.map((arm) => [arm.id, arm]));
  return [...groupBy(attention, ({ task }) => task)].sort(([a], [b]) => a - b).map(([task, cells]) => {
    const rows = cells.flatMap(({ armId, contextTokens, state, numbers, divergences }): AttentionRow[] => {
      const arm = byId.get(armId);
      return arm === undefined ? [] : [{ arm, contextTokens, state, numbers, divergences }];
    });
    return { task, rows: rows.sort((a, b) => a.arm.ordinal - b.arm.ordinal || a.contextTokens - b.contextTokens) };
  });
}
