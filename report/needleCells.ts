/**
 * Needle cells of an arm under a task, kept as columns of numbers: fifty bytes a cell, where a row of the store takes kilobytes. They
 * are made into objects as somebody looks at them, one after the other.
 */
import type { ArmId } from '../domain/ids.js';
import type { NeedleScoreRow } from '../domain/rows.js';
import { score } from '../domain/score.js';
import { CELL_ORIGINS, CELL_STATES, type CellOrigin, type CellState } from '../domain/states.js';
import type { Criterion } from '../domain/taskSpec.js';

export interface NeedleOutcome {
  /** Under the criterion of the task, 0..1. */
  readonly score: number;
  readonly exactMatch: boolean;
  /** Nats. */
  readonly entropyFirst: number;
  /** Nats; null where nothing was generated. */
  readonly entropy: number | null;
}

export interface NeedleCell {
  readonly contextTokens: number;
  /** Fraction 0..1. */
  readonly depth: number;
  readonly seed: number;
  readonly state: CellState;
  readonly origin: CellOrigin;
  /** The first 52 bits of the cell key: where two cells of one place in the grid have the same, they are one measurement. */
  readonly keyBits: number;
  /** null where state is not measured. */
  readonly needle: NeedleOutcome | null;
}

/** Of one page. */
interface Columns {
  readonly contextTokens: Int32Array;
  readonly depth: Float64Array;
  readonly seed: Int32Array;
  /** Indices into CELL_STATES and CELL_ORIGINS. */
  readonly state: Uint8Array;
  readonly origin: Uint8Array;
  readonly keyBits: Float64Array;
  /** NaN where nothing is measured. */
  readonly score: Float64Array;
  readonly exactMatch: Uint8Array;
  readonly entropyFirst: Float64Array;
  /** NaN where there is none. */
  readonly entropy: Float64Array;
}

/** Hexadecimal digits of 52 bits, which a number holds. */
const KEY_DIGITS = 13;

export class NeedleCells implements Iterable<NeedleCell> {
  private readonly pages: Columns[] = [];

  /** @param task index into the sweep's tasks */
  constructor(
    readonly armId: ArmId,
    readonly task: number,
    readonly criterion: Criterion,
  ) {}

  add(cells: readonly NeedleScoreRow[]): void {
    this.pages.push({
      contextTokens: Int32Array.from(cells, ({ contextTokens }) => contextTokens),
      depth: Float64Array.from(cells, ({ depth }) => depth),
      seed: Int32Array.from(cells, ({ seed }) => seed),
      state: Uint8Array.from(cells, ({ state }) => CELL_STATES.indexOf(state)),
      origin: Uint8Array.from(cells, ({ origin }) => CELL_ORIGINS.indexOf(origin)),
      keyBits: Float64Array.from(cells, ({ key }) => Number.parseInt(key.slice(0, KEY_DIGITS), 16)),
      score: Float64Array.from(cells, ({ needle }) => (needle === null ? NaN : score(this.criterion, needle))),
      exactMatch: Uint8Array.from(cells, ({ needle }) => Number(needle?.exactMatch ?? false)),
      entropyFirst: Float64Array.from(cells, ({ needle }) => needle?.entropyFirst ?? NaN),
      entropy: Float64Array.from(cells, ({ needle }) => needle?.entropy ?? NaN),
    });
  }

  *[Symbol.iterator](): Generator<NeedleCell, void, undefined> {
    for (const page of this.pages) for (let at = 0; at < page.seed.length; at += 1) yield cellAt(page, at);
  }
}

function cellAt(page: Columns, at: number): NeedleCell {
  const numberAt = (column: ArrayLike<number>): number => column[at] ?? NaN;
  const [score, entropy] = [numberAt(page.score), numberAt(page.entropy)];
  return {
    contextTokens: numberAt(page.contextTokens),
    depth: numberAt(page.depth),
    seed: numberAt(page.seed),
    state: CELL_STATES[numberAt(page.state)] ?? 'planned',
    origin: CELL_ORIGINS[numberAt(page.origin)] ?? 'grid',
    keyBits: numberAt(page.keyBits),
    needle: Number.isNaN(score) ? null : { score, exactMatch: page.exactMatch[at] === 1, entropyFirst: numberAt(page.entropyFirst), entropy: Number.isNaN(entropy) ? null : entropy },
  };
}
