/**
 * What the engine is, as far as its numbers and its failures depend on it.
 *
 * `NUMERICS_VERSION` is an ingredient of every cell key: raise it by hand when the same inputs may give other numbers
 * (a new graph, another prepacking setting, another onnxruntime). `ENGINE` names the engine version of an outcome:
 * a cell that ran out of memory or was quarantined is planned again when it changes.
 */
export const NUMERICS_VERSION = 3;

/** Raised when the generated ONNX graph changes, whether or not its numbers do. */
export const GRAPH_VERSION = 3;

/** Settings of ONNX Runtime that may change numbers; one set for all sweeps. */
export const ENGINE = {
  onnxruntime: '1.30.0',
  graph: GRAPH_VERSION,
  prepacking: false as boolean,
  /** Denormal numbers count as 0: hidden keys leave probabilities near 1e-39, which cost Intel CPUs half of attention's speed. */
  denormals: false as boolean,
} as const;

/** The execution provider of a CPU. */
export const PROVIDER = 'cpu';

/** The engine version that outcomes (infeasible, failed) belong to: the fingerprint without the hardware. */
export const engineVersion = (provider: string): string =>
  `onnxruntime-${ENGINE.onnxruntime}/${provider}/graph-${ENGINE.graph}`;

/** Compute dtypes a cell key can name. */
export const COMPUTE_DTYPES = ['f32', 'f16', 'bf16'] as const;
export type ComputeDtype = (typeof COMPUTE_DTYPES)[number];

export const BYTES_OF_DTYPE: { readonly [D in ComputeDtype]: number } = { f32: 4, f16: 2, bf16: 2 };
