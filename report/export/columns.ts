/**
 * The columns of an export, in their order: a documented, stable interface (docs/export.md; a test holds it against this
 * list). New columns are added at the end of their group; names keep the words and units of domain/.
 */
import { canonicalJson } from '../../domain/identity.js';
import type { NeedleNumbers } from '../../domain/measurement.js';
import { bitsPerByte, perplexity, type LossSum } from '../../domain/perplexity.js';
import type { ArmRow, CellRow, SweepRows } from '../../domain/rows.js';
import type { Value } from './formatted.js';

export interface Column {
  readonly name: string;
  /**
   * `result`: the same for every run that measured the same cells. `circumstance`: which run, when, where, how it went
   * wrong; left out of results-only exports.
   */
  readonly kind: 'result' | 'circumstance';
  readonly value: (cell: CellRow, arm: ArmRow, rows: SweepRows) => Value;
}

const result = (name: string, value: Column['value']): Column => ({ name, kind: 'result', value });
const circumstance = (name: string, value: Column['value']): Column => ({ name, kind: 'circumstance', value });
const number = (name: keyof NeedleNumbers, read: (numbers: NeedleNumbers) => Value): Column =>
  result(name, (cell) => (cell.taskKind !== 'needle' || cell.needle === null ? null : read(cell.needle)));

/** Of the losses of needle and perplexity cells. */
const loss = (name: string, read: (losses: LossSum) => Value): Column =>
  result(name, (cell) => {
    if (cell.taskKind === 'needle') return cell.needle === null ? null : read({ ...cell.needle, byteCount: null });
    return cell.taskKind === 'attention' || cell.perplexity === null ? null : read(cell.perplexity);
  });
/** Of any cell that was measured. */
const tokenDigest = (cell: CellRow): string | null => {
  switch (cell.taskKind) {
    case 'needle':
      return cell.needle?.tokenDigest ?? null;
    case 'perplexity':
      return cell.perplexity?.tokenDigest ?? null;
    case 'attention':
      return cell.attention?.tokenDigest ?? null;
  }
};

export const COLUMNS: readonly Column[] = [
  circumstance('sweep', (_cell, _arm, { sweep }) => sweep),
  circumstance('revision', (_cell, _arm, { revision }) => revision),

  result('arm', (_cell, arm) => arm.label),
  result('armId', (_cell, arm) => arm.id),
  result('model', (_cell, arm) => arm.model),
  result('method', (_cell, arm) => arm.method.name),
  result('methodParameters', (_cell, arm) => methodParameters(arm)),
  result('weightsId', (_cell, arm) => arm.weightsId),
  result('weightFormat', (_cell, arm) => arm.weightFormat),
  result('originalContextTokens', (_cell, arm) => arm.originalContextTokens),
  result('continualPretrainContextTokens', (_cell, arm) => arm.continualPretrainContextTokens),
  result('effectiveScale', (_cell, arm) => arm.effectiveScale),
  result('logitScale', (_cell, arm) => arm.logitScale),

  result('key', ({ key }) => key),
  result('task', ({ task }) => task),
  result('taskKind', ({ taskKind }) => taskKind),
  result('contextTokens', ({ contextTokens }) => contextTokens),
  result('depth', (cell) => (cell.taskKind === 'needle' ? cell.depth : null)),
  result('seed', (cell) => (cell.taskKind === 'needle' ? cell.seed : null)),
  result('document', (cell) => (cell.taskKind === 'perplexity' ? cell.document : null)),
  result('origin', ({ origin }) => origin),
  result('state', ({ state }) => state),

  number('exactMatch', ({ exactMatch }) => exactMatch),
  number('tokenRecall', ({ tokenRecall }) => tokenRecall),
  number('stringRecall', ({ stringRecall }) => stringRecall),
  number('generatedText', ({ generatedText }) => generatedText),
  number('answers', ({ answers }) => answers),
  number('answerIds', ({ answerIds }) => answerIds),
  number('top1Ids', ({ top1Ids }) => top1Ids),
  number('generatedIds', ({ generatedIds }) => generatedIds),
  number('nll', ({ nll }) => nll),
  loss('sumNll', ({ sumNll }) => sumNll),
  loss('tokenCount', ({ tokenCount }) => tokenCount),
  number('margins', ({ margins }) => margins),
  number('entropyFirst', ({ entropyFirst }) => entropyFirst),
  number('entropy', ({ entropy }) => entropy),
  number('entropyTeacherForced', ({ entropyTeacherForced }) => entropyTeacherForced),
  number('entropyOfMean', ({ entropyOfMean }) => entropyOfMean),
  number('entropyNormalized', ({ entropyNormalized }) => entropyNormalized),
  number('maxProbability', ({ maxProbability }) => maxProbability),
  number('sinkMass', ({ sinkMass }) => sinkMass),
  number('sinkMass4', ({ sinkMass4 }) => sinkMass4),
  number('localMass', ({ localMass }) => localMass),
  number('localTokens', ({ localTokens }) => localTokens),
  number('needleMass', ({ needleMass }) => needleMass),
  number('needleLift', ({ needleLift }) => needleLift),
  number('retrievalScore', ({ retrievalScore }) => retrievalScore),
  number('needleStart', ({ needleStart }) => needleStart),
  number('needleTokens', ({ needleTokens }) => needleTokens),
  result('tokenDigest', tokenDigest),
  number('layers', ({ layers }) => layers),
  number('headCount', ({ headCount }) => headCount),
  number('heads', ({ heads }) => heads),

  loss('byteCount', ({ byteCount }) => byteCount),
  result('perplexity', (cell) => (cell.taskKind !== 'perplexity' || cell.perplexity === null ? null : perplexity(cell.perplexity))),
  loss('bitsPerByte', bitsPerByte),

  circumstance('reason', ({ reason }) => reason),
  circumstance('measuredAt', ({ measured }) => measured?.at.toISOString() ?? null),
  circumstance('seconds', ({ measured }) => measured?.seconds ?? null),
  circumstance('worker', ({ measured }) => measured?.worker ?? null),
  circumstance('fingerprint', ({ measured }) => measured?.fingerprint ?? null),
];

/** The method without its name, as canonical JSON; parameters that are not set are absent. */
const methodParameters = ({ method }: ArmRow): string => canonicalJson({ ...method, name: undefined });
