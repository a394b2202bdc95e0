/**
 * The engine fingerprint: what the last bits of a result depend on beyond the cell key. Cells of one arm go to one
 * fingerprint, and a measurement stores the one it was made under.
 *
 * On a CPU that is the kernels ONNX Runtime picks: they follow the instruction sets, and the block sizes of attention
 * follow the cache. Virtual machines often hide the model's name, so both stand beside it. Threads are left out:
 * results do not depend on them.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus } from 'node:os';
import { z } from 'zod';
import { ENGINE, PROVIDER } from '../domain/engine.js';

/** Instruction sets that select kernels, in the words of /proc/cpuinfo. */
const KERNEL_FLAGS = ['sse4_1', 'avx', 'fma', 'avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile', 'asimd', 'sve', 'i8mm'];

/** Version of the installed onnxruntime-node, read without loading its native library. */
export const installedOnnxruntime = (): string =>
  z.object({ version: z.string() }).parse(createRequire(import.meta.url)('onnxruntime-node/package.json')).version;

/** `AMD EPYC x64 avx2+fma L2 1024K / onnxruntime 1.30.0 cpu prepacking false / graph 1` */
export const fingerprint = (): string =>
  [
    [cpus()[0]?.model.trim().replaceAll(/\s+/g, ' ') ?? 'unknown CPU', arch(), ...instructionSets(), ...cacheSize()].join(' '),
    `onnxruntime ${installedOnnxruntime()} ${PROVIDER} prepacking ${ENGINE.prepacking}`,
    `graph ${ENGINE.graph}`,
  ].join(' / ');

function instructionSets(): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readSystemFile('/proc/cpuinfo'))?.[1] ?? '';
  const present = new Set(line.trim().split(/\s+/));
  const flags = KERNEL_FLAGS.filter((flag) => present.has(flag));
  return flags.length === 0 ? [] : [flags.join('+')];
}

function cacheSize(): string[] {
  const size = readSystemFile('/sys/devices/system/cpu/cpu0/cache/index2/size').trim();
  return size === '' ? [] : [`L2 ${size}`];
}

/** What Linux tells of itself; elsewhere nothing. */
function readSystemFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
