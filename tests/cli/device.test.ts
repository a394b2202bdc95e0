/** `ropesweep device`, and commands that are given a device: as processes, for a device is tried in one. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingCuda } from '../../infra/cuda.js';
import { packageFile } from '../../infra/packageRoot.js';
import { goldenModelFolder } from '../evaluation/fixtures.js';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
interface Probed {
  readonly device: string;
  readonly ok: boolean;
  readonly difference?: number;
  readonly reason?: string;
}

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'ropesweep-device-'));
});
afterAll(() => rmSync(home, { recursive: true }));

const ropesweep = (...words: string[]): Promise<Ended> =>
  new Promise((ended) => {
    const env = { ...process.env, ROPESWEEP_HOME: home, ROPESWEEP_CACHE: join(home, 'cache'), DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' };
    execFile(process.execPath, [packageFile('bin', 'ropesweep.js'), ...words], { env }, (error, stdout, stderr) => ended({ code: Number(error?.code ?? 0), stdout, stderr }));
  });

describe('ropesweep device check', () => {
  it('finds that the CPU computes attention rightly', async () => {
    const { code, stdout } = await ropesweep('device', 'check', 'cpu', '--json');
    const [cpu] = JSON.parse(stdout) as Probed[];
    expect(cpu).toMatchObject({ device: 'cpu', ok: true });
    expect(cpu?.difference).toBeLessThan(1e-4);
    expect(code).toBe(0);
  });

  it('refuses what is no device', async () => {
    const { code, stderr } = await ropesweep('device', 'check', 'gpu');
    expect(stderr).toContain('"gpu" is not a device');
    expect(code).toBe(2);
  });
});

// A home without CUDA: true of every machine, for the home is this test's own.
describe('where CUDA is not installed', () => {
  const lack = 'the CUDA provider is not installed: ropesweep device install cuda';

  it.each([
    [['device', 'check', 'cuda:0']],
    [['model', 'verify', goldenModelFolder('llama-f16'), '--device', 'cuda:0']],
    [['worker', '--device', 'cuda:0', '--class', 'cuda-80']],
  ])('%j says so at once', async (words) => {
    const { code, stdout, stderr } = await ropesweep(...words);
    if (missingCuda(home).length > 0 && code !== 0) {
      expect((stdout + stderr).replaceAll(/[\s│]+/g, ' ')).toContain(lack);
      expect(code).toBe(1);
    }
  });

  it('a worker on a GPU is not guessed a class', async () => {
    const { code, stderr } = await ropesweep('worker', '--device', 'cuda:0');
    expect(stderr).toContain('a worker on cuda:0 needs a device class');
    expect(code).toBe(2);
  });
});
