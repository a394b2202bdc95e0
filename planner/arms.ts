/**
 * Arms: checkpoint x method, each with its RoPE tables and its identity.
 */
import { digest } from '../domain/identity.js';
import { id, type ArmId, type WeightsId } from '../domain/ids.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { CheckpointTraining, NamedTable, PlannedArm } from '../domain/plan.js';
import { effectiveScale, logitScale, methodLabel, ropeTable, tableDependsOnLength } from '../rope/method.js';
import { nameTable } from '../rope/tableDigest.js';

export interface ArmParts {
  readonly model: string;
  /** Whether the sweep has other models beside it: labels name it then. */
  readonly severalModels: boolean;
  /** Arms that were planned before. */
  readonly taken: ReadonlySet<ArmId>;
  readonly folder: string;
  readonly weightsId: WeightsId;
  readonly weightFormat: string;
  readonly provisional: boolean;
  readonly training: CheckpointTraining | null;
  /** Of its RoPE settings. */
  readonly warnings: readonly string[];
  /** What is to be said of the method beside its label. */
  readonly notice: string | undefined;
  readonly continualPretrainContextTokens: number | null;
  /** Resolved. */
  readonly method: Method;
  readonly geometry: RopeGeometry;
  readonly contextTokens: readonly number[];
}

export function plannedArm(parts: ArmParts): PlannedArm {
  const { model, severalModels, taken, folder, weightsId, weightFormat, provisional, training, warnings, notice, continualPretrainContextTokens, method, geometry, contextTokens } = parts;
  const tables = namedTables(method, geometry, contextTokens);
  // Where the table changes with the length, scales are those at the longest context.
  const longest = tables['*'] ?? tableAtLength(method, geometry, Math.max(...contextTokens));
  const identity = { weightsId, method, geometry: { ...geometry } };
  const armId = id<ArmId>(digest(identity));
  const label = armLabel(method, continualPretrainContextTokens);
  return {
    // Two models may be one under two names.
    id: taken.has(armId) ? id<ArmId>(digest({ ...identity, model })) : armId,
    label: severalModels ? `${model}: ${label}` : label,
    model,
    checkpoint: { folder, weightsId, weightFormat, continualPretrainContextTokens, ...(provisional && { provisional }), ...(training !== null && { training }), ...(warnings.length > 0 && { warnings }) },
    method,
    methodLabel: methodLabel(method),
    originalContextTokens: geometry.originalContextTokens,
    ...(notice !== undefined && { notice }),
    effectiveScale: effectiveScale(longest, geometry),
    logitScale: logitScale(longest),
    tables,
  };
}

/** `yarn 8, continued at 1024` */
export const armLabel = (method: Method, continualPretrainContextTokens: number | null): string =>
  continualPretrainContextTokens === null ? methodLabel(method) : `${methodLabel(method)}, continued at ${continualPretrainContextTokens}`;

export const tableAtLength = (method: Method, geometry: RopeGeometry, lengthTokens: number): NamedTable =>
  nameTable(ropeTable(method, geometry, lengthTokens));

function namedTables(method: Method, geometry: RopeGeometry, contextTokens: readonly number[]): Record<string, NamedTable> {
  if (!tableDependsOnLength(method)) return { '*': tableAtLength(method, geometry, geometry.originalContextTokens) };
  return Object.fromEntries(contextTokens.map((length) => [String(length), tableAtLength(method, geometry, length)]));
}
