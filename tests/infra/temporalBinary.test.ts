import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findTemporal, locateTemporal } from '../../infra/embedded/temporalBinary.js';
import { sharedTemporal } from './sharedTemporal.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ropesweep-binary-'));
  vi.stubEnv('TEMPORAL_CLI_PATH', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

function script(folder: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'temporal');
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('TEMPORAL_CLI_PATH is used as it is, and a wrong one is refused instead of passed over', async () => {
  const shared = await sharedTemporal();
  vi.stubEnv('TEMPORAL_CLI_PATH', shared);
  expect(await findTemporal({ home, log: () => undefined })).toBe(shared);
  vi.stubEnv('TEMPORAL_CLI_PATH', join(home, 'nowhere'));
  await expect(findTemporal({ home, log: () => undefined })).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems: [{ where: 'TEMPORAL_CLI_PATH' }] });
});

test('a program on PATH that is too old or none at all gives way to the cached copy, with one log line each', async () => {
  const shared = await sharedTemporal();
  const cached = join(home, 'bin', 'temporal');
  mkdirSync(join(home, 'bin'));
  symlinkSync(shared, cached);
  for (const [said, why] of [['echo "temporal version 1.0.0 (Server 1.24.2, UI 2.27.2)"', 'too old'], ['echo hello', 'is not a Temporal server'], ['exit 3', 'does not run']] as const) {
    const old = script(join(home, 'path'), said);
    vi.stubEnv('PATH', join(home, 'path'));
    const lines: string[] = [];
    expect(await findTemporal({ home, log: (line) => lines.push(line) })).toBe(cached);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`${old}: ${why}`);
  }
});

test('where nothing works the error lists every attempt and leaves no half program behind', async () => {
  // Programs that fail at once stand for a machine without network.
  const path = join(home, 'path');
  for (const name of ['python3', 'python', 'go']) {
    script(path, 'echo "no network" >&2; exit 1');
    const { renameSync } = await import('node:fs');
    renameSync(join(path, 'temporal'), join(path, name));
  }
  vi.stubEnv('PATH', path);
  const lines: string[] = [];
  const outcome = findTemporal({ home, log: (line) => lines.push(line) });
  const error = await outcome.catch((cause: unknown) => cause);
  if (typeof error === 'string') return; // The SDK's downloader reached its host: nothing to refuse.
  expect(error).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
  expect((error as { problems: unknown[] }).problems).toHaveLength(5);
  console.log(lines.join('\n'));
  expect(existsSync(join(home, 'bin', 'temporal'))).toBe(false);
  expect((await locateTemporal(home)).located).toBeNull();
});
