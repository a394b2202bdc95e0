/**
 * The engine fingerprint: what the last bits of a result depend on beyond the cell key. Cells of one arm go to one
 * fingerprint, and a measurement stores the one it was made under.
 *
 * On a CPU that is the kernels ONNX Runtime picks: they follow the instruction sets, and the block sizes of attention
 * follow the cache. Virtual machines often hide the model's name, so both stand beside it. Threads are left out:
 * results do not depend on them. On a GPU it is the card and its driver.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { arch, cpus } from 'node:os';
import { z } from 'zod';
import { CPU, type Device } from '../domain/device.js';
import { ENGINE } from '../domain/engine.js';
import { l2CacheSize, readSystemFile } from './systemFiles.js';

/** Instruction sets that select kernels, in the words of /proc/cpuinfo. */
const KERNEL_FLAGS = ['sse4_1', 'avx', 'fma', 'avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile', 'asimd', 'sve', 'i8mm'];

/** Version of the installed onnxruntime-node, read without loading its native library. */
export const installedOnnxruntime = (): string =>
  z.object({ version: z.string() }).parse(createRequire(import.meta.url)('onnxruntime-node/package.json')).version;

/** `AMD EPYC x64 avx2+fma L2 1024K / onnxruntime 1.30.0 cpu prepacking false / graph 1` */
export const fingerprint = (device: Device = CPU): string =>
  [
    device.provider === 'cpu' ? cpuName() : gpuName(device),
    `onnxruntime ${installedOnnxruntime()} ${device.provider} prepacking ${ENGINE.prepacking}`,
    `graph ${ENGINE.graph}`,
  ].join(' / ');

const cpuName = (): string =>
  [cpus()[0]?.model.trim().replaceAll(/\s+/g, ' ') ?? 'unknown CPU', arch(), ...instructionSets(), ...cacheSize()].join(' ');

/** `NVIDIA H100 80GB HBM3 driver 570.86`, from NVIDIA's own tool; WebGPU tells no name outside of a browser. */
function gpuName({ provider, index }: Device): string {
  if (provider !== 'cuda') return `${provider} ${arch()}`;
  try {
    const said = execFileSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader', `--id=${index}`], { encoding: 'utf8', timeout: 10_000 });
    return said.trim().replace(/,\s*/, ' driver ');
  } catch {
    return 'unknown NVIDIA GPU';
  }
}

function instructionSets(): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readSystemFile('/proc/cpuinfo'))?.[1] ?? '';
  const present = new Set(line.trim().split(/\s+/));
  const flags = KERNEL_FLAGS.filter((flag) => present.has(flag));
  return flags.length === 0 ? [] : [flags.join('+')];
}

const cacheSize = (): string[] => (l2CacheSize() === '' ? [] : [`L2 ${l2CacheSize()}`]);
