/** The golden GGUF files: values and logits by the gguf package and numpy in float64 (tests/golden). */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface GoldenGguf {
  readonly architecture: string;
  readonly tensors: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly number[];
    readonly offset: number;
    readonly bytes: number;
    readonly sum: number;
    readonly sum_squares: number;
    readonly first: readonly number[];
  }[];
  readonly prompt: readonly number[];
  readonly inv_freq: readonly number[];
  readonly attention_factor: number;
  readonly top1: readonly number[];
  readonly top1_uncertain: readonly number[];
  readonly nll: readonly number[];
  /** Of the last 4 rows. */
  readonly logits: readonly (readonly number[])[];
}

export const GGUF_MODELS = [
  'llama-gqa-f32', 'llama-gqa-f16', 'llama-gqa-bf16', 'llama-gqa-q8_0', 'llama-gqa-q4_0', 'llama-gqa-q4_1', 'llama-gqa-q5_0', 'llama-gqa-q5_1',
  'qwen2-f16', 'qwen2-q8_0', 'qwen2-q4_1', 'llama-rope-linear', 'llama-rope-yarn', 'llama-rope-freqs',
] as const;

export const ggufFile = (name: string): string => fileURLToPath(new URL(`../golden/gguf/${name}.gguf`, import.meta.url));
export const goldenGguf = async (name: string): Promise<GoldenGguf> =>
  JSON.parse(await readFile(new URL(`../golden/gguf/${name}.json`, import.meta.url), 'utf8')) as GoldenGguf;
