/**
 * Devices as a spec and a plan speak of them: a device class names a kind of node, and says what its numbers and its
 * memory depend on.
 */
import { z } from 'zod';
import type { ComputeDtype } from './engine.js';
import { RopesweepError } from './errors.js';

/** ONNX Runtime's execution providers. webgpu is experimental: refused where the self-test fails. */
export const PROVIDERS = ['cpu', 'cuda', 'webgpu'] as const;
export type Provider = (typeof PROVIDERS)[number];

export interface DeviceClass {
  readonly name: string;
  readonly provider: Provider;
  /** Memory of one device in bytes; null = that of the node (CPU), which the worker tells. */
  readonly memoryBytes: number | null;
  /**
   * Whether keys and values stay on the device between runs. Where they do not, a cell is one run: nothing is shared
   * between prompts and nothing is decoded greedily unless asked for.
   */
  readonly keepsKv: boolean;
  /** Assumed sustained rate in FLOP/s, for predictions before any cell was measured; null = unknown. */
  readonly assumedFlopsPerSecond: number | null;
}

const GIB = 2 ** 30;
const cuda = (memoryGiB: number, assumedFlopsPerSecond: number): DeviceClass => ({
  name: `cuda-${memoryGiB}`,
  provider: 'cuda',
  memoryBytes: memoryGiB * GIB,
  keepsKv: false,
  assumedFlopsPerSecond,
});

/** Classes that every spec can name. The rates are assumptions (40 % of a usual card's half-precision peak), never results. */
export const DEVICE_CLASSES: readonly DeviceClass[] = [
  { name: 'cpu', provider: 'cpu', memoryBytes: null, keepsKv: true, assumedFlopsPerSecond: null },
  { name: 'webgpu', provider: 'webgpu', memoryBytes: null, keepsKv: true, assumedFlopsPerSecond: null },
  cuda(24, 50e12),
  cuda(40, 125e12),
  cuda(80, 395e12),
  cuda(141, 395e12),
];

/** A class of the spec's own. */
export const deviceClassSchema = z.strictObject({
  provider: z.enum(PROVIDERS),
  memoryGiB: z.number().positive().optional().describe('Memory of one device; absent on a CPU: that of the node.'),
  assumedTeraflops: z.number().positive().optional().describe('Sustained rate to predict times with until cells are measured.'),
});
export type DeviceClassSpec = z.infer<typeof deviceClassSchema>;

export const deviceClassOf = (name: string, { provider, memoryGiB, assumedTeraflops }: DeviceClassSpec): DeviceClass => ({
  name,
  provider,
  memoryBytes: memoryGiB === undefined ? null : memoryGiB * GIB,
  keepsKv: provider !== 'cuda',
  assumedFlopsPerSecond: assumedTeraflops === undefined ? null : assumedTeraflops * 1e12,
});

/** The provider of a class by name; the spec's own classes stand before built-in ones. A class that nobody knows is a CPU's. */
export const classProvider = (name: string, own: Readonly<Record<string, DeviceClassSpec>>): Provider =>
  own[name]?.provider ?? DEVICE_CLASSES.find((one) => one.name === name)?.provider ?? 'cpu';

/** Dtypes a provider computes in; `auto` takes the first that the checkpoint's weights have, else the first. */
export const DTYPES_OF: { readonly [P in Provider]: readonly ComputeDtype[] } = {
  cpu: ['f32'],
  cuda: ['f16', 'bf16', 'f32'],
  webgpu: ['f32'],
};

/** What `auto` is: the type of the weights where the provider computes in it, else its first. @param weightFormat of a checkpoint */
export const autoDtype = (provider: Provider, weightFormat: string): ComputeDtype =>
  DTYPES_OF[provider].find((dtype) => dtype === weightFormat) ?? DTYPES_OF[provider][0] ?? 'f32';

/** One device of a node. */
export interface Device {
  readonly provider: Provider;
  /** Number of the GPU; 0 for the others. */
  readonly index: number;
}

export const CPU: Device = { provider: 'cpu', index: 0 };

const DEVICE_TEXT = /^(?:(cpu|webgpu)|cuda(?::(\d{1,3}))?)$/;

/** `cpu`, `webgpu`, `cuda` (the first GPU) or `cuda:N`. @throws RopesweepError OPTION_INVALID */
export function parseDevice(text: string): Device {
  const match = DEVICE_TEXT.exec(text);
  if (match === null) {
    throw new RopesweepError('OPTION_INVALID', { where: '--device', what: `${JSON.stringify(text)} is not a device`, mend: 'Use cpu, cuda:0 (the number of the GPU) or webgpu.' });
  }
  const [, plain, number = '0'] = match;
  return plain === 'cpu' || plain === 'webgpu' ? { provider: plain, index: 0 } : { provider: 'cuda', index: Number(number) };
}

export const deviceText = ({ provider, index }: Device): string => (provider === 'cuda' ? `cuda:${index}` : provider);
