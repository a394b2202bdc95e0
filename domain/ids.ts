/** Branded ids: strings that the compiler keeps apart. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** SHA-256 over everything that determines a cell's numbers (planner/cellKey.ts). */
export type CellKey = Branded<'CellKey'>;
/** SHA-256 over the weight files and the architecture fields of a checkpoint (model/weightsId.ts). */
export type WeightsId = Branded<'WeightsId'>;
/** SHA-256 over inverse frequencies and attention factor (rope/tableDigest.ts). */
export type TableDigest = Branded<'TableDigest'>;
/** SHA-256 over what a tokenizer does to text: tokenizer.json, special tokens, chat template (model/tokenizerFiles.ts). */
export type TokenizerDigest = Branded<'TokenizerDigest'>;
/** SHA-256 over weights id, method with all its parameters and RoPE geometry (planner/arms.ts). */
export type ArmId = Branded<'ArmId'>;
/** SHA-256 over the cell keys that a shard evaluates (planner/shards.ts). */
export type ShardId = Branded<'ShardId'>;
/** The sweep's name as its spec gives it. */
export type SweepId = Branded<'SweepId'>;

/** Marks a string as one of the ids above, at the place that makes it or reads it back from the store. */
export const id = <Id extends Branded<string>>(text: string): Id => text as Id; // eslint-disable-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the brand
