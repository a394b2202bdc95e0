/** `--rows cells`: one row a cell, whatever its task; columns of the other tasks are none. */
import type { NeedleNumbers } from '../../domain/measurement.js';
import { bitsPerByte, perplexity, type LossSum } from '../../domain/perplexity.js';
import type { CellRow } from '../../domain/rows.js';
import { armColumns, armOf, runColumns, type OfArm } from './armColumns.js';
import { circumstance, result, type Column, type Value } from './column.js';
import type { SweepSource } from '../source.js';
import { exportTable, PAGE_CELLS } from './table.js';

interface OfCell extends OfArm {
  readonly cell: CellRow;
}

type OwnColumn = Column<OfCell>;

const cell = (name: string, type: string, meaning: string, value: (cell: CellRow) => Value): OwnColumn => result(name, type, meaning, (row) => value(row.cell));
const number = (name: keyof NeedleNumbers, type: string, meaning: string, read: (numbers: NeedleNumbers) => Value): OwnColumn =>
  cell(name, type, meaning, (of) => (of.taskKind !== 'needle' || of.needle === null ? null : read(of.needle)));

/** Of the losses of needle and perplexity cells. */
const loss = (name: string, type: string, meaning: string, read: (losses: LossSum) => Value): OwnColumn =>
  cell(name, type, meaning, (of) => {
    if (of.taskKind === 'needle') return of.needle === null ? null : read({ ...of.needle, byteCount: null });
    return of.taskKind === 'attention' || of.perplexity === null ? null : read(of.perplexity);
  });

/** Of any cell that was measured. */
const tokenDigest = (of: CellRow): string | null => {
  switch (of.taskKind) {
    case 'needle':
      return of.needle?.tokenDigest ?? null;
    case 'perplexity':
      return of.perplexity?.tokenDigest ?? null;
    case 'attention':
      return of.attention?.tokenDigest ?? null;
  }
};

/** A documented, stable interface: new columns are added at the end of their group; names keep the words and units of domain/. */
const COLUMNS: readonly OwnColumn[] = [
  ...runColumns<OfCell>(),
  ...armColumns<OfCell>(),

  cell('key', 'string', 'cell key: identity of all that determines the numbers', ({ key }) => key),
  cell('task', 'int64', "index into the sweep file's tasks, from 0", ({ task }) => task),
  cell('taskKind', 'string', '`needle`, `perplexity` or `attention`; columns of the other tasks are none', ({ taskKind }) => taskKind),
  cell('contextTokens', 'int64, tokens', 'every input token of the evaluation pass', ({ contextTokens }) => contextTokens),
  cell('depth', 'double, fraction', 'where the needle stands in the haystack: 0 start, 1 end', (of) => (of.taskKind === 'needle' ? of.depth : null)),
  cell('seed', 'int64', 'draws haystack and needle', (of) => (of.taskKind === 'needle' ? of.seed : null)),
  cell('document', 'string', 'perplexity: id of the document', (of) => (of.taskKind === 'perplexity' ? of.document : null)),
  cell('origin', 'string', '`grid`, `refine` or `audit`', ({ origin }) => origin),
  cell('state', 'string', '`planned`, `measured`, `diverged`, `infeasible` or `failed`; only `measured` has numbers', ({ state }) => state),

  number('exactMatch', 'boolean', 'whether greedy decoding gives the whole answer', ({ exactMatch }) => exactMatch),
  number('tokenRecall', 'double', 'share of the answer tokens that are the argmax of their row, teacher-forced', ({ tokenRecall }) => tokenRecall),
  number('stringRecall', 'double', 'share of the answers found in the generated text; none where no text was generated', ({ stringRecall }) => stringRecall),
  number('generatedText', 'string', 'what longer greedy decoding printed; none where it was not asked for', ({ generatedText }) => generatedText),
  number('answers', 'string[]', 'what is looked for in it; none where tokens are no text', ({ answers }) => answers),
  number('answerIds', 'int64[], token ids', 'the answer', ({ answerIds }) => answerIds),
  number('top1Ids', 'int64[], token ids', 'argmax of each answer row, teacher-forced', ({ top1Ids }) => top1Ids),
  number('generatedIds', 'int64[], token ids', 'what greedy decoding generates; none where it was not completed', ({ generatedIds }) => generatedIds),
  number('nll', 'double[], nats', 'needle: -ln p of each answer token, teacher-forced', ({ nll }) => nll),
  loss('sumNll', 'double, nats', "needle: their sum; perplexity: that of the losses that the task's windows count", ({ sumNll }) => sumNll),
  loss('tokenCount', 'int64, tokens', 'how many there are', ({ tokenCount }) => tokenCount),
  number('margins', 'double[], logits', 'best minus second best of each answer row, teacher-forced', ({ margins }) => margins),
  number('entropyFirst', 'double, nats', 'attention entropy of the first answer row, mean over layers and heads', ({ entropyFirst }) => entropyFirst),
  number('entropy', 'double, nats', 'attention entropy, mean over layers, heads and the rows of the generated tokens (Algorithm 1); none where not generated', ({ entropy }) => entropy),
  number('entropyTeacherForced', 'double, nats', 'the same over the teacher-forced answer rows', ({ entropyTeacherForced }) => entropyTeacherForced),
  number('entropyOfMean', 'double, nats', 'entropy of the distribution averaged over layers and heads, mean over the same rows', ({ entropyOfMean }) => entropyOfMean),
  number('entropyNormalized', 'double', 'H / ln n over the same rows, n = visible keys', ({ entropyNormalized }) => entropyNormalized),
  number('maxProbability', 'double', 'largest attention weight, mean', ({ maxProbability }) => maxProbability),
  number('sinkMass', 'double', 'attention on key 0, mean', ({ sinkMass }) => sinkMass),
  number('sinkMass4', 'double', 'attention on keys 0 to 3, mean', ({ sinkMass4 }) => sinkMass4),
  number('localMass', 'double', 'attention on the last `localTokens` keys, mean', ({ localMass }) => localMass),
  number('localTokens', 'int64, tokens', 'width of that window', ({ localTokens }) => localTokens),
  number('needleMass', 'double', 'attention on the needle, mean', ({ needleMass }) => needleMass),
  number('needleLift', 'double', '`needleMass` over that of uniform attention', ({ needleLift }) => needleLift),
  number('retrievalScore', 'double', 'share of layers, heads and answer rows whose most attended key lies in the needle and holds the token predicted', ({ retrievalScore }) => retrievalScore),
  number('needleStart', 'int64, tokens', 'position of the needle in the prompt', ({ needleStart }) => needleStart),
  number('needleTokens', 'int64, tokens', 'its length', ({ needleTokens }) => needleTokens),
  cell('tokenDigest', 'string', 'SHA-256 over the token ids of the prompt', tokenDigest),
  number('layers', 'int64', 'layers of the model', ({ layers }) => layers),
  number('headCount', 'int64', 'attention heads of a layer', ({ headCount }) => headCount),
  number('heads', 'string', 'float32, little-endian, [entropy, maxProbability, sinkMass, sinkMass4, localMass, needleMass, retrieval][layers][heads], base64; none with `probes: summary`', ({ heads }) => heads),

  loss('byteCount', 'int64, bytes', 'perplexity: UTF-8 bytes of the counted tokens; none where tokens are no text', ({ byteCount }) => byteCount),
  cell('perplexity', 'double', "exp(`sumNll` / `tokenCount`) of the document in its cell's windows", (of) => (of.taskKind !== 'perplexity' || of.perplexity === null ? null : perplexity(of.perplexity))),
  loss('bitsPerByte', 'double, bits', '`sumNll` / (ln 2 x `byteCount`)', bitsPerByte),

  circumstance('reason', 'string', 'why there are no numbers', (row) => row.cell.reason),
  circumstance('measuredAt', 'timestamp', 'time of the measurement', (row) => row.cell.measured?.at.toISOString() ?? null),
  circumstance('seconds', 'double, s', 'what it took', (row) => row.cell.measured?.seconds ?? null),
  circumstance('worker', 'string', 'where it was measured', (row) => row.cell.measured?.worker ?? null),
  circumstance('fingerprint', 'string', 'processor, onnxruntime, provider, graph generator', (row) => row.cell.measured?.fingerprint ?? null),
];

async function* pages(source: SweepSource): AsyncGenerator<readonly OfCell[]> {
  const { head } = source;
  const arm = armOf(source);
  for await (const page of source.cells({ pageCells: PAGE_CELLS, headDistributions: false, tokenLosses: false })) yield page.map((of) => ({ head, arm: arm(of), cell: of }));
}

export const CELLS = exportTable('One row a cell.', COLUMNS, pages);
