/** What a node lacks for CUDA, without a download and without a GPU. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CPU, parseDevice } from '../../domain/device.js';
import { cudaLack, deviceNeeds, hasNvidiaDriver, missingCuda } from '../../infra/cuda.js';
import { doctor } from '../../infra/doctor.js';

const LIBRARIES = ['nvidia/cu13/lib', 'nvidia/cudnn/lib'];
const CUDA = parseDevice('cuda:0');

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ropesweep-cuda-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});
const putLibraries = (): void => LIBRARIES.forEach((name) => mkdirSync(join(home, 'device', 'cuda', name), { recursive: true }));

describe('CUDA on a node', () => {
  it('is missing folder by folder until its libraries are there', () => {
    const before = missingCuda(home);
    for (const name of LIBRARIES) expect(before).toContain(join(home, 'device', 'cuda', name));
    expect(cudaLack(home)).toContain('ropesweep device install cuda');
    putLibraries();
    const after = missingCuda(home);
    for (const name of LIBRARIES) expect(after).not.toContain(join(home, 'device', 'cuda', name));
    // Beside them the provider, which stands with the binding: in place only where somebody installed it here.
    expect(after.every((path) => path.includes('onnxruntime-node'))).toBe(true);
    if (after.length === 0) expect(cudaLack(home)).toBe(hasNvidiaDriver() ? null : 'this node has no NVIDIA driver (libcuda.so.1), which belongs to the system');
  });

  it('needs its libraries found first and TensorFloat-32 off, once however often it is asked', () => {
    vi.stubEnv('LD_LIBRARY_PATH', '/usr/own/lib');
    const { environment } = deviceNeeds(CUDA, home);
    expect(environment).toEqual({ LD_LIBRARY_PATH: [...LIBRARIES.map((name) => join(home, 'device', 'cuda', name)), '/usr/own/lib'].join(':'), NVIDIA_TF32_OVERRIDE: '0' });
    vi.stubEnv('LD_LIBRARY_PATH', environment['LD_LIBRARY_PATH'] ?? '');
    expect(deviceNeeds(CUDA, home).environment).toEqual(environment);
    expect(deviceNeeds(CPU, home)).toEqual({ environment: {}, lack: null });
  });

  it('is looked at by the doctor once somebody began to install it, and says what to do', async () => {
    const parts = async () => (await doctor({ home })).filter(({ part }) => ['NVIDIA driver', 'CUDA provider'].includes(part));
    if (!hasNvidiaDriver()) {
      expect(await parts()).toEqual([]);
      putLibraries();
      rmSync(join(home, 'device', 'cuda', LIBRARIES[1] ?? ''), { recursive: true });
      const [driver, provider] = await parts();
      expect(driver).toMatchObject({ state: 'missing', needed: false, mend: expect.stringContaining('Install the driver') as string });
      expect(provider).toMatchObject({ state: 'missing', needed: false, mend: 'Run ropesweep device install cuda.' });
      expect(provider?.detail).toContain('cudnn');
    }
    expect(existsSync(home)).toBe(true);
  });
});
