/**
 * What a RoPE method is, seen from the registry: a pure function of its parameters and of the checkpoint's geometry.
 */
import type { Method, MethodName, RopeGeometry, RopeTable } from '../domain/method.js';

export type MethodOf<Name extends MethodName> = Extract<Method, { name: Name }>;

export interface MethodDefinition<Name extends MethodName> {
  /** Whether the table changes with the sequence length; then a prefix is shared only between equal lengths. */
  readonly tableDependsOnLength: boolean;
  /** Where the equation was published, for docs/methods.md. */
  readonly source: string;
  /**
   * The method in its one canonical spelling: a target context becomes a factor, and what contradicts is refused.
   * Resolving twice gives the same.
   * @throws RopesweepError METHOD_INVALID
   */
  readonly resolve: (method: MethodOf<Name>, geometry: RopeGeometry) => MethodOf<Name>;
  /** Of a resolved method; the length in tokens counts only where the table depends on it. */
  readonly table: (method: MethodOf<Name>, geometry: RopeGeometry, lengthTokens: number) => RopeTable;
  /** As tables and figures print it: `yarn 8`. */
  readonly label: (method: MethodOf<Name>) => string;
}
