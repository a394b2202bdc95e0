/**
 * An export as a download: what `ropesweep export` prints, by a process of its own, so that the pages do not wait while a million
 * rows are formatted. It ends with whoever takes it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { SweepId } from '../../domain/ids.js';
import { RopesweepError } from '../../domain/errors.js';
import { packageFile } from '../../infra/packageRoot.js';
import type { ExportFormat } from '../../report/export/exported.js';
import type { RowKind } from '../../report/export/tables.js';
import type { StoreOptions } from '../store.js';

export async function* download({ home }: StoreOptions, sweep: SweepId, rows: RowKind, format: ExportFormat): AsyncGenerator<Uint8Array> {
  const options = ['--rows', rows, '--format', format, ...(home === undefined ? [] : ['--home', home])];
  const child = spawn(process.execPath, [packageFile('bin', 'ropesweep.js'), 'export', sweep, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close') as Promise<[code: number | null]>;
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  try {
    for await (const piece of child.stdout as AsyncIterable<Buffer>) yield piece;
    const [code] = await ended;
    if (code !== 0) throw new RopesweepError('INTERNAL', { where: `export of ${sweep}`, what: said.trim() });
  } finally {
    child.kill();
    await ended;
  }
}
