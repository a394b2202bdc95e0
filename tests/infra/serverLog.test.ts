/** A server that dies while it starts: what is read of its log, and what a person is told. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { endOfLog, logSince } from '../../infra/embedded/serverLog.js';
import { startTemporal } from '../../infra/embedded/temporal.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'ropesweep-log-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** As a Go program dies: the reason, then more of a stack trace than anyone reads. */
const panic = (reason: string): string => `time=now level=WARN msg="starting"\npanic: ${reason}\n\ngoroutine 1 [running]:\n${'server.Start(...)\n\t/server/start.go:1 +0x1\n'.repeat(400)}`;

describe('the log of a server that died', () => {
  it('is shown to the reason of a panic, without the trace', () => {
    expect(endOfLog(panic('no memory'))).toBe('time=now level=WARN msg="starting"\npanic: no memory');
    expect(endOfLog('one\ntwo\n')).toBe('one\ntwo');
    expect(endOfLog('x'.repeat(10_000))).toHaveLength(4_096);
  });

  it('is read from where it stood before the start, and from its beginning if it became shorter', () => {
    const file = join(folder, 'some.log');
    writeFileSync(file, 'before\nafter\n');
    expect(logSince(file, 7)).toBe('after');
    expect(logSince(file, 1_000)).toBe('before\nafter');
    expect(logSince(join(folder, 'none.log'), 0)).toBe('');
  });

  /** Of a program that prints the panic and ends, in the place of the Temporal server. */
  async function failure(name: string, reason: string): Promise<RopesweepError> {
    const [binary, text] = [join(folder, name), join(folder, `${name}.txt`)];
    writeFileSync(text, panic(reason));
    writeFileSync(binary, `#!/bin/sh\ncat '${text}' >&2\nexit 2\n`);
    chmodSync(binary, 0o755);
    const start = startTemporal({ binary, databaseFile: join(folder, `${name}.db`), port: 1, uiPort: 2, logFile: join(folder, `${name}.log`) });
    const error: unknown = await start.then(() => null, (caught: unknown) => caught);
    if (error instanceof RopesweepError) return error;
    throw new Error('it was not refused');
  }

  it('tells a taken port, for which another is tried, even in front of a long trace', async () => {
    const error = await failure('taken', 'listen tcp 127.0.0.1:7233: bind: address already in use');
    expect(error.code).toBe('PORT_TAKEN');
    expect(error.describe()).not.toContain('goroutine');
  });

  it('tells why Temporal ended, and where its log is', async () => {
    const error = await failure('broken', 'schema version 9 is newer than 8');
    expect(error.code).toBe('STACK_FAILED');
    expect(error.describe()).toContain('schema version 9 is newer than 8');
    expect(error.describe()).toContain('broken.log');
    expect(error.describe()).not.toContain('start.go');
  });
});
