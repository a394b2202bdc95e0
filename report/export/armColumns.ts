/** Columns of the arm and of the run that every kind of rows has. */
import { canonicalJson } from '../../domain/identity.js';
import { RopesweepError } from '../../domain/errors.js';
import type { ArmId } from '../../domain/ids.js';
import type { ArmRow, CellRow, SweepHead } from '../../domain/rows.js';
import { circumstance, result, type Column } from './column.js';
import type { SweepSource } from '../source.js';

export interface OfArm {
  readonly head: SweepHead;
  readonly arm: ArmRow;
}

export const runColumns = <Row extends OfArm>(): readonly Column<Row>[] => [
  circumstance('sweep', 'string', 'name of the sweep', ({ head }) => head.sweep),
  circumstance('revision', 'int64', 'its revision', ({ head }) => head.revision),
];

export const armColumns = <Row extends OfArm>(): readonly Column<Row>[] => [
  result('arm', 'string', 'label of the arm: checkpoint x method', ({ arm }) => arm.label),
  result('armId', 'string', 'its id', ({ arm }) => arm.id),
  result('model', 'string', 'name of the model in the sweep file', ({ arm }) => arm.model),
  result('method', 'string', 'RoPE method', ({ arm }) => arm.method.name),
  result('methodParameters', 'string', 'its parameters as JSON, keys sorted; those that are not set are absent', ({ arm }) => canonicalJson({ ...arm.method, name: undefined })),
  result('weightsId', 'string', "identity of the checkpoint's weights", ({ arm }) => arm.weightsId),
  result('weightFormat', 'string', 'how its weights are stored: `f32`, `bf16`, `q4_1`', ({ arm }) => arm.weightFormat),
  result('originalContextTokens', 'int64, tokens', 'L0: trained context of the base', ({ arm }) => arm.originalContextTokens),
  result('continualPretrainContextTokens', 'int64, tokens', 'length it was continued at; none = not continued', ({ arm }) => arm.continualPretrainContextTokens),
  result('effectiveScale', 'double', 'base inverse frequency / method inverse frequency at the slowest pair', ({ arm }) => arm.effectiveScale),
  result('logitScale', 'double', 'what the method multiplies attention logits by', ({ arm }) => arm.logitScale),
];

/** The arm of a cell. */
export function armOf({ head }: SweepSource): (cell: Pick<CellRow, 'key' | 'armId'>) => ArmRow {
  const arms = new Map<ArmId, ArmRow>(head.arms.map((arm) => [arm.id, arm]));
  return ({ key, armId }) => {
    const arm = arms.get(armId);
    if (arm === undefined) throw new RopesweepError('INTERNAL', { where: `cell ${key}`, what: `its arm ${armId} is not among the sweep's arms` });
    return arm;
  };
}
