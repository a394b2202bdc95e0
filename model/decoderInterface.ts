/**
 * What the decoder graph takes and gives, by name, for whoever builds or runs it.
 *
 * S = tokens of the chunk, C = rows the cache can hold, T = tokens present after the chunk, R = rows of logits at the end
 * of the chunk (at least one), P = rows probed there (0 for a chunk that only fills the cache), n = key rows the probes
 * read (T, or 1 where P = 0).
 */

/** Output name of each probe, [layers, heads, P]; maxPosition is int64, the rest float32. */
export const PROBES = {
  entropy: 'entropy',
  maxProbability: 'max_probability',
  maxPosition: 'max_position',
  sinkMass: 'sink_mass',
  sinkMass4: 'sink_mass_4',
  localMass: 'local_mass',
  spanMass: 'span_mass',
} as const;
export type ProbeName = keyof typeof PROBES;

export const DECODER = {
  inputs: {
    tokens: 'tokens', // int64 [1, S]
    cos: 'cos', // float32 [at least T, rotarySize / 2]
    sin: 'sin', // float32 [at least T, rotarySize / 2]
    lastKey: 'last_key', // int32 [1]: T - 1
    presentTokens: 'present_tokens', // int32 []: T
    newStart: 'new_start', // int64 [1]: T - S
    newEnd: 'new_end', // int64 [1]: T
    rowStart: 'row_start', // int64 [1]: S - R
    targets: 'targets', // int64 [R, 1]
    probeStart: 'probe_start', // int64 [1]: first probed row of the chunk
    probePositions: 'probe_positions', // int64 [P]: positions of the probed rows
    probeKeys: 'probe_keys', // int64 [1]: n
    spanMask: 'span_mask', // float32 [n]: 1 where a key counts for spanMass
    edges: 'edges', // int64 [1, P, E]: keys below each edge of a row's bins (graphs with distributions only)
    localTokens: 'local_tokens', // int64 [1]: keys that count for localMass, the row's own among them
  },
  outputs: {
    logits: 'logits', // float32 [R, vocabulary]
    top1: 'top1', // int64 [R]
    nll: 'nll', // float32 [R]
    margin: 'margin', // float32 [R]
    entropyOfMean: 'entropy_of_mean', // float32 [P]
    massBelow: 'mass_below', // float64 [layers, heads, E] (graphs with distributions only)
  },
  probes: PROBES,
} as const;

/**
 * Cache tensors of a layer. The past goes in at full capacity, [1, keyValueHeads, C, headSize], with T - S rows that count;
 * only the S new rows come out, [1, keyValueHeads, S, headSize], and whoever runs the graph puts them into the cache.
 */
export const cacheNames = (layer: number) => ({
  pastKey: `past_key_${layer}`,
  pastValue: `past_value_${layer}`,
  newKey: `new_key_${layer}`,
  newValue: `new_value_${layer}`,
});
