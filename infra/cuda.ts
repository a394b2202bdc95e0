/**
 * CUDA for ONNX Runtime's Node binding, which ships without: the provider comes out of the Python wheel of the same
 * version, the libraries out of NVIDIA's wheels. Nothing here needs a GPU; loading the provider needs NVIDIA's driver.
 *
 *   HOME/device/cuda/onnxruntime/capi/libonnxruntime_providers_{shared,cuda}.so    linked beside the binding
 *   HOME/device/cuda/nvidia/{cu13,cudnn}/lib                                       on the LD_LIBRARY_PATH of slots
 */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { Device } from '../domain/device.js';
import { ENGINE } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import { installWheels, type Wheel, type WheelPlatform } from './wheels.js';

/** Of CUDA 13, in the versions that onnxruntime-gpu asks for. */
const WHEELS: readonly Wheel[] = [
  { name: 'onnxruntime-gpu', version: ENGINE.onnxruntime, sha256: ['6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1'] },
  { name: 'nvidia-cublas', version: '13.10.0.20', sha256: ['dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84'] },
  { name: 'nvidia-cuda-nvrtc', version: '13.5.37', sha256: ['86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc'] },
  { name: 'nvidia-cuda-runtime', version: '13.5.37', sha256: ['df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d'] },
  { name: 'nvidia-cudnn-cu13', version: '9.28.1.4', sha256: ['a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec'] },
  { name: 'nvidia-cufft', version: '12.5.0.14', sha256: ['b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad'] },
  { name: 'nvidia-curand', version: '10.4.5.25', sha256: ['22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529'] },
  { name: 'nvidia-nvjitlink', version: '13.5.37', sha256: ['280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb'] },
];

const PLATFORM: WheelPlatform = {
  pythonVersion: '3.12',
  platforms: ['manylinux_2_28_x86_64', 'manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux2010_x86_64', 'manylinux1_x86_64'],
};

const PROVIDER_FILES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'] as const;
const LIBRARY_FOLDERS = [join('nvidia', 'cu13', 'lib'), join('nvidia', 'cudnn', 'lib')] as const;
const INSTALL_LIMIT_MS = 60 * 60_000;

const cudaFolder = (home: string): string => resolve(home, 'device', 'cuda');

/** Where the binding looks for providers: its own folder. */
const bindingFolder = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')), 'bin', 'napi-v6', process.platform, process.arch);

/** What is missing of CUDA under a home; empty where it is in place. Says nothing of the driver. */
export function missingCuda(home: string): string[] {
  const folder = cudaFolder(home);
  return [
    ...LIBRARY_FOLDERS.map((name) => join(folder, name)).filter((path) => !existsSync(path)),
    ...PROVIDER_FILES.map((name) => join(bindingFolder(), name)).filter((path) => !existsSync(path)),
  ];
}

/** Whether the driver of NVIDIA's GPUs is loaded. */
export const hasNvidiaDriver = (): boolean => existsSync('/proc/driver/nvidia/version');

/** What a node lacks for CUDA, for a person; null where all is in place. */
export function cudaLack(home: string): string | null {
  if (missingCuda(home).length > 0) return 'the CUDA provider is not installed: ropesweep device install cuda';
  return hasNvidiaDriver() ? null : 'this node has no NVIDIA driver (libcuda.so.1), which belongs to the system';
}

/** What a device takes on this node: the environment of its processes, and what the node lacks for it. */
export const deviceNeeds = (device: Device, home: string): { readonly environment: Readonly<Record<string, string>>; readonly lack: string | null } => ({
  environment: deviceEnvironment(device, home),
  lack: device.provider === 'cuda' ? cudaLack(home) : null,
});

/** What a process that opens sessions on the device needs in its environment. */
const deviceEnvironment = ({ provider }: Device, home: string): Readonly<Record<string, string>> =>
  provider === 'cuda'
    ? {
        LD_LIBRARY_PATH: cudaLibraryPath(home),
        // TensorFloat-32 would round f32 products to ten bits, and a cell key says f32.
        NVIDIA_TF32_OVERRIDE: '0',
      }
    : {};

/** LD_LIBRARY_PATH with what is installed first. */
function cudaLibraryPath(home: string, inherited = process.env['LD_LIBRARY_PATH'] ?? ''): string {
  const folder = cudaFolder(home);
  const paths = [...LIBRARY_FOLDERS.map((name) => join(folder, name)), ...inherited.split(delimiter)];
  return [...new Set(paths)].filter((path) => path !== '').join(delimiter);
}

/**
 * Puts the provider and its libraries in place, atomically; says whether there was anything to do.
 * @throws RopesweepError DEVICE_UNAVAILABLE where the wheels cannot be had or this platform has none
 */
export async function installCuda(home: string, log: (line: string) => void): Promise<'installed' | 'linked' | 'present'> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new RopesweepError('DEVICE_UNAVAILABLE', { where: 'cuda', what: `there is no CUDA provider for ${process.platform} ${process.arch}`, mend: 'Use a Linux x64 node.' });
  }
  if (missingCuda(home).length === 0) return 'present';
  const folder = cudaFolder(home);
  const fetched = !LIBRARY_FOLDERS.every((name) => existsSync(join(folder, name)));
  if (fetched) await fetchWheels(folder, log);
  for (const name of PROVIDER_FILES) link(join(folder, 'onnxruntime', 'capi', name), join(bindingFolder(), name));
  return fetched ? 'installed' : 'linked';
}

/** Into a folder of its own; only a whole one is moved to its place, in one step. */
async function fetchWheels(folder: string, log: (line: string) => void): Promise<void> {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  removeLeftovers(parent);
  log(`fetching ${WHEELS.map(({ name, version }) => `${name} ${version}`).join(', ')} (about 1.5 GB)`);
  const work = join(parent, `fetch-${randomBytes(4).toString('hex')}`);
  try {
    const installed = await installWheels(work, WHEELS, { limitMs: INSTALL_LIMIT_MS, for: PLATFORM });
    if (!installed.ok) {
      throw new RopesweepError('DEVICE_UNAVAILABLE', {
        where: 'cuda',
        what: `pip could not install the wheels: ${installed.why}`,
        mend: 'Let pip reach a package index (its own configuration counts), then run this again.',
      });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What a killed fetch left; a younger folder may belong to one that is under way. */
function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith('fetch-'))) {
    const path = join(parent, name);
    if (Date.now() - statSync(path).mtimeMs > INSTALL_LIMIT_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** A link in place of whatever link stood there: an older one may point into a home that is gone. */
function link(target: string, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(path);
  if (!existsSync(path)) symlinkSync(target, path);
}
