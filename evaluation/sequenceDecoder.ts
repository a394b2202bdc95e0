/**
 * What tasks ask of a decoder, whether its device keeps keys and values between runs or not.
 */
import type { RopeTable } from '../domain/method.js';
import type { Checkpoint } from '../model/checkpoint.js';
import type { FeedOptions, FeedResult } from './feed.js';

export interface SequenceDecoder {
  readonly checkpoint: Checkpoint;
  /** Where nothing is kept, every feed must hold the whole sequence, and nothing is decoded greedily. */
  readonly keepsKv: boolean;
  /** Tokens that it holds. */
  readonly length: number;
  /** Tokens that went through the model since it was opened, re-fed ones included. */
  readonly fedTokens: number;
  /** Takes a RoPE table and empties the sequence. @throws RopesweepError TABLE_MISMATCH, MODEL_UNSUPPORTED, OUT_OF_MEMORY */
  useTable(table: RopeTable, capacityTokens: number): void;
  /** How many leading tokens of a sequence it holds already. */
  sharedWith(tokens: ArrayLike<number>): number;
  /** Forgets all tokens from `length` on. */
  rewind(length: number): void;
  /** Appends tokens. @throws RopesweepError OUT_OF_MEMORY */
  feed(tokens: ArrayLike<number>, options?: FeedOptions): Promise<FeedResult>;
  dispose(): Promise<void>;
}
