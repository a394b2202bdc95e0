/**
 * The KV cache of one sequence: keys and values of every layer at full capacity, [1, keyValueHeads, capacity, headSize].
 *
 * The arrays are fed as past and handed in as present: the attention kernel sees one memory and writes only the new rows.
 * So a shared prefix costs nothing (reset the length), and memory is fixed from the start.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ModelConfig } from '../model/config.js';
import { cacheNames } from '../model/decoderGraph.js';
import { tensor, type RuntimeTensor } from '../runtime/session.js';

export class KvCache {
  /** Past tensors by input name. */
  readonly inputs: Readonly<Record<string, RuntimeTensor>>;
  /** The same tensors by output name. */
  readonly outputs: Readonly<Record<string, RuntimeTensor>>;

  constructor(config: ModelConfig, readonly capacityTokens: number) {
    const inputs: Record<string, RuntimeTensor> = {};
    const outputs: Record<string, RuntimeTensor> = {};
    for (let layer = 0; layer < config.layers; layer += 1) {
      const names = cacheNames(layer);
      inputs[names.pastKey] = outputs[names.presentKey] = allocate(config, capacityTokens);
      inputs[names.pastValue] = outputs[names.presentValue] = allocate(config, capacityTokens);
    }
    this.inputs = inputs;
    this.outputs = outputs;
  }
}

function allocate({ keyValueHeads, headSize, layers }: ModelConfig, capacityTokens: number): RuntimeTensor {
  const elements = keyValueHeads * capacityTokens * headSize;
  try {
    return tensor('float32', new Float32Array(elements), [1, keyValueHeads, capacityTokens, headSize]);
  } catch (cause) {
    throw new RopesweepError(
      'OUT_OF_MEMORY',
      { where: 'KV cache', what: `out of memory: ${String(capacityTokens)} tokens need ${String(2 * layers * elements * 4)} bytes, which could not be allocated` },
      { cause },
    );
  }
}
