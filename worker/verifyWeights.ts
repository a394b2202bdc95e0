/**
 * A worker proves once per folder that it holds the weights the plan names; file digests come from the store's cache,
 * so that a checkpoint of many gigabytes is read once per machine and not once per shard.
 */
import { RopesweepError } from '../domain/errors.js';
import type { Store } from '../domain/ports.js';
import type { ShardJob } from '../domain/slot.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { digestThrough } from '../model/cachedDigest.js';
import { weightsId } from '../model/weightsId.js';

export function weightsVerifier(store: Store): (checkpoint: ShardJob['checkpoint']) => Promise<void> {
  const verified = new Map<string, Promise<void>>();
  const verify = async ({ folder, weightsId: planned }: ShardJob['checkpoint']): Promise<void> => {
    const checkpoint = await openCheckpoint(folder);
    const found = await weightsId(checkpoint, digestThrough(store));
    if (found !== planned) {
      throw new RopesweepError('WEIGHTS_MISMATCH', { where: folder, what: `the weights are ${found.slice(0, 12)}, the plan names ${planned.slice(0, 12)}` });
    }
  };
  return (checkpoint) => {
    const name = `${checkpoint.weightsId} ${checkpoint.folder}`;
    const running = verified.get(name) ?? verify(checkpoint);
    verified.set(name, running);
    // Only success is remembered: a folder that is mended is looked at again.
    running.catch(() => verified.delete(name));
    return running;
  };
}
