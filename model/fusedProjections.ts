/**
 * Projections that a checkpoint stores in one tensor (Phi-3): qkv_proj holds the rows of queries, keys and values in this
 * order, gate_up_proj those of gate and up. Rows lie one after another, so each part is a place in the same file: nothing
 * is copied, and everything else knows the parts only.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ModelConfig } from './config.js';
import type { StoredTensor } from './safetensors.js';
import { layerTensors, tensorShapes } from './tensorNames.js';

/**
 * The same tensors with the parts in place of what they were fused into.
 * @throws RopesweepError CHECKPOINT_INVALID if a fused tensor has not the rows of its parts
 */
export function splitFusedProjections(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor> {
  const split = new Map(tensors);
  const shapes = tensorShapes(config);
  for (let layer = 0; layer < config.layers; layer += 1) {
    const names = layerTensors(layer);
    const fused: readonly (readonly [string, readonly string[]])[] = [
      [names.query.replace('q_proj', 'qkv_proj'), [names.query, names.key, names.value]],
      [names.gate.replace('gate_proj', 'gate_up_proj'), [names.gate, names.up]],
    ];
    for (const [name, parts] of fused) {
      const whole = tensors.get(name);
      if (whole === undefined) continue;
      split.delete(name);
      for (const [part, tensor] of partsOf(name, whole, parts.map((part) => [part, shapes.get(part)?.[0] ?? 0]))) split.set(part, tensor);
    }
  }
  return split;
}

/** @param parts name and rows of each part, in order */
function partsOf(name: string, whole: StoredTensor, parts: readonly (readonly [string, number])[]): [string, StoredTensor][] {
  const [rows = 0, ...rest] = whole.shape;
  const expected = parts.reduce((sum, [, count]) => sum + count, 0);
  if (rows !== expected || rows === 0) {
    throw new RopesweepError('CHECKPOINT_INVALID', { where: whole.file, what: `tensor ${name} has ${rows} rows, config.json makes it ${expected}` });
  }
  const rowBytes = whole.byteLength / rows;
  let first = 0;
  return parts.map(([part, count]) => {
    const tensor = { ...whole, shape: [count, ...rest], byteOffset: whole.byteOffset + first * rowBytes, byteLength: count * rowBytes };
    first += count;
    return [part, tensor];
  });
}
