/** Whether a disturbed run gave what an undisturbed one gives: every cell, once, byte for byte. */
import { SWEEP } from './sweep.js';
import type { Testimony } from './witness.js';
import type { Place } from '../endToEnd/command.js';

/** The sweep's rows, numbers only: two runs of the same cells give the same bytes. */
export async function exportedRows(place: Place, environment: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await place.run(['export', SWEEP, '--format', 'jsonl', '--results-only'], environment);
  if (code !== 0) throw new Error(`export ended with ${String(code)}: ${stderr}`);
  return stdout;
}

export interface Comparison {
  /** Cells of the undisturbed run without the same numbers here. */
  readonly lost: number;
  /** Rows beyond one a cell, and measurements written over. */
  readonly duplicated: number;
  readonly equal: boolean;
}

export function compare(undisturbed: string, disturbed: string, { rewritten }: Pick<Testimony, 'rewritten'>): Comparison {
  const [wanted, got] = [rowsOf(undisturbed), rowsOf(disturbed)];
  const rows = new Set(got);
  return {
    lost: wanted.filter((row) => !rows.has(row)).length,
    duplicated: got.length - new Set(got.map(cellOf)).size + rewritten,
    equal: undisturbed === disturbed,
  };
}

const rowsOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Arms may share a measurement: a row is a cell of one arm. */
function cellOf(row: string): string {
  const { armId, key } = JSON.parse(row) as { armId: string; key: string };
  return `${armId}/${key}`;
}

/** What else must hold when a sweep is over, in words; empty if all does. */
export function broken({ staleWrites, leasedShards, wrongCounters }: Testimony, unexplained: number): string[] {
  const said: [number, string][] = [
    [staleWrites, 'cells were written by a worker that no longer held their shard'],
    [leasedShards, 'shards are still leased'],
    [wrongCounters, 'sweeps or arms count other cells or shards than they have'],
    [unexplained, 'attempts ended without a result and without a kill'],
  ];
  return said.flatMap(([count, what]) => (count > 0 ? [`${String(count)} ${what}`] : []));
}
