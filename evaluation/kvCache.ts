/**
 * The KV cache of one sequence: keys and values of every layer, each [keyValueHeads, capacity, headSize].
 *
 * The graph reads the arrays at full capacity and gives back only the rows of a chunk, which are copied in here: memory is
 * fixed from the start, and a shared prefix costs nothing (the decoder resets its length). Letting the graph write in
 * place looks cheaper and is not: onnxruntime-node copies every output, at full capacity, into a new array.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ModelConfig } from '../model/config.js';
import { cacheNames } from '../model/decoderInterface.js';
import { tensor, type RuntimeTensor, type Tensors } from '../runtime/session.js';

interface CachedArray {
  readonly data: Float32Array;
  /** The graph's output with its new rows. */
  readonly newRows: string;
}

export class KvCache {
  /** The arrays as the graph's inputs. */
  readonly inputs: Tensors;
  /** Outputs to ask a run for. */
  readonly outputs: Readonly<Record<string, null>>;
  readonly #arrays: readonly CachedArray[];
  readonly #headSize: number;
  readonly #keyValueHeads: number;

  /** @throws RopesweepError OUT_OF_MEMORY */
  constructor(config: ModelConfig, readonly capacityTokens: number) {
    this.#headSize = config.headSize;
    this.#keyValueHeads = config.keyValueHeads;
    const inputs: Record<string, RuntimeTensor> = {};
    const arrays: CachedArray[] = [];
    const add = (input: string, newRows: string): void => {
      const data = allocate(config, capacityTokens);
      inputs[input] = tensor('float32', data, [1, config.keyValueHeads, capacityTokens, config.headSize]);
      arrays.push({ data, newRows });
    };
    for (let layer = 0; layer < config.layers; layer += 1) {
      const names = cacheNames(layer);
      add(names.pastKey, names.newKey);
      add(names.pastValue, names.newValue);
    }
    this.inputs = inputs;
    this.#arrays = arrays;
    this.outputs = Object.fromEntries(arrays.map(({ newRows }) => [newRows, null]));
  }

  /** Takes the new rows of a run, from `position` on. */
  append(results: Tensors, position: number): void {
    for (const { data, newRows } of this.#arrays) {
      const rows = results[newRows]?.data as Float32Array;
      const perHead = rows.length / this.#keyValueHeads;
      for (let head = 0; head < this.#keyValueHeads; head += 1) {
        data.set(rows.subarray(head * perHead, (head + 1) * perHead), (head * this.capacityTokens + position) * this.#headSize);
      }
    }
  }
}

function allocate({ keyValueHeads, headSize, layers }: ModelConfig, capacityTokens: number): Float32Array {
  const elements = keyValueHeads * capacityTokens * headSize;
  try {
    return new Float32Array(elements);
  } catch (cause) {
    throw new RopesweepError(
      'OUT_OF_MEMORY',
      { where: 'KV cache', what: `out of memory: ${capacityTokens} tokens need ${2 * layers * elements * 4} bytes, which could not be allocated` },
      { cause },
    );
  }
}
