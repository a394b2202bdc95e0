/** The workflows a control worker runs; the bundle is made from this file. */
export { shardWorkflow } from './shard.js';
export { sweepWorkflow } from './sweep.js';
