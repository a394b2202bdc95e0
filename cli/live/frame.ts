/** What one look shows, whatever shows it. */
import type { ArmId, SweepId } from '../../domain/ids.js';
import type { LiveView } from '../../domain/live.js';
import type { Rates } from './rates.js';

export interface Frame {
  /** null until something was seen. */
  readonly view: LiveView | null;
  /** Of the sweeps with their work. */
  readonly rates: ReadonlyMap<SweepId, Rates>;
  /** Recall so far, of the sweep shown in full; empty where it has no needle cells, or not yet. */
  readonly recalls: ReadonlyMap<ArmId, number>;
  /** Where the view comes from. */
  readonly source: string;
  /** Why there is nothing newer than the view; null while there is. */
  readonly stale: string | null;
}

export interface Display {
  show(frame: Frame): Promise<void> | void;
  /** Gives the terminal back; what is to stay is printed. */
  close(last: Frame | null): void;
}
