/** A model on the command line: a folder, a .gguf file, or `registry:NAME`. */
import { float32Cache, modelsFolder } from '../infra/cacheFolder.js';
import { asFloat32 } from '../model/weightCache.js';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint.js';
import { resolveModelName } from '../model/registry.js';

export const MODEL_ARGUMENT = 'folder with config.json and safetensors weights, .gguf file, or registry:NAME';

/** @throws RopesweepError CHECKPOINT_MISSING for a known model that is not there */
export const modelPlace = (name: string): string => resolveModelName(name, modelsFolder());

/**
 * The checkpoint with weights that a device computing in float32 reads; copies are kept in the node's cache.
 * @throws RopesweepError as openCheckpoint and asFloat32
 */
export const openFloat32 = async (name: string): Promise<Checkpoint> => asFloat32(await openCheckpoint(modelPlace(name)), float32Cache());
