/**
 * Requests as tensors that go into a decoder's graph, and answers out of those that come back.
 */
import type { Checkpoint } from '../model/checkpoint.js';
import { DECODER } from '../model/decoderInterface.js';
import { tensor, type RuntimeTensor, type Tensors } from '../runtime/session.js';
import { FEWEST_ROWS } from './chunks.js';
import type { AnswerRow, AttentionProbes, FeedRequest, FeedResult } from './feed.js';

const { outputs: NAMES, probes: PROBES } = DECODER;
const ROW_OUTPUTS = { [NAMES.top1]: null, [NAMES.nll]: null, [NAMES.margin]: null };
const DISTRIBUTION_OUTPUT = { [NAMES.massBelow]: null };
const LOGITS_OUTPUT = { [NAMES.logits]: null };
const PROBE_OUTPUTS = { ...Object.fromEntries(Object.values(PROBES).map((name) => [name, null])), [NAMES.entropyOfMean]: null };

/** Names of the outputs that answer a request. */
export const wantedOutputs = ({ keepLogits, probeRows, edges }: FeedRequest): Readonly<Record<string, null>> => ({
  ...ROW_OUTPUTS,
  ...(keepLogits && LOGITS_OUTPUT),
  ...(probeRows > 0 && PROBE_OUTPUTS),
  ...(edges.length > 0 && DISTRIBUTION_OUTPUT),
});

export interface RunExtent {
  /** Position behind the last token of the run. */
  readonly end: number;
  /** Tokens of the run. */
  readonly size: number;
  /** Whether the graph gives distributions. */
  readonly distributions: boolean;
}

const computedRows = ({ logitRows }: FeedRequest, size: number): number => Math.min(size, Math.max(logitRows, FEWEST_ROWS));

/** Where the rows of logits begin, for graphs that compute the last ones only. */
export const rowInput = (request: FeedRequest, size: number): Tensors => ({ [DECODER.inputs.rowStart]: int64([size - computedRows(request, size)]) });

/** Inputs of a run that a request decides: targets of the rows of logits, probed rows and what is summed over. */
export function requestInputs(request: FeedRequest, { end, size, distributions }: RunExtent): Tensors {
  const { inputs } = DECODER;
  const rows = computedRows(request, size);
  const probed = request.probeRows === 0 ? 0 : Math.min(size, Math.max(request.probeRows, FEWEST_ROWS));
  return {
    [inputs.lastKey]: tensor('int32', Int32Array.of(end - 1), [1]),
    [inputs.presentTokens]: tensor('int32', Int32Array.of(end), []),
    [inputs.targets]: int64(alignRight(request.targets, rows), [rows, 1]),
    [inputs.probeStart]: int64([size - probed]),
    [inputs.probePositions]: int64(Array.from({ length: probed }, (_, row) => end - probed + row)),
    [inputs.probeKeys]: int64([probed === 0 ? 1 : end]),
    [inputs.spanMask]: spanMask(request.spans, probed === 0 ? 1 : end),
    [inputs.localTokens]: int64([request.localTokens]),
    ...(distributions && { [inputs.edges]: edgeInput(request.edges, probed) }),
  };
}

export const int64 = (values: ArrayLike<number>, shape: readonly number[] = [values.length]): RuntimeTensor =>
  tensor('int64', BigInt64Array.from({ length: values.length }, (_, index) => BigInt(values[index] ?? 0)), shape);

/** [keys] 1 within the spans, 0 elsewhere. */
function spanMask(spans: FeedRequest['spans'], keys: number): RuntimeTensor {
  const mask = new Float32Array(keys);
  for (const [start, end] of spans) mask.fill(1, start, end);
  return tensor('float32', mask, [keys]);
}

/** [1, P, E]; one edge at 0 where none is asked for. */
function edgeInput(edges: FeedRequest['edges'], rows: number): RuntimeTensor {
  const [first] = edges;
  return int64(first === undefined || rows === 0 ? Array.from({ length: rows }, () => 0) : edges.flat(), [1, rows, rows === 0 ? 1 : (first?.length ?? 1)]);
}

/** The values at the end of `length` places; the rows before them predict nothing that is asked for. */
const alignRight = (values: ArrayLike<number>, length: number): number[] =>
  Array.from({ length }, (_, index) => values[index - length + values.length] ?? 0);

/** What a run gave, for the rows that were asked for. */
export function readResult(outputs: Tensors, request: FeedRequest, { layers, heads, vocabularySize }: Checkpoint['config']): FeedResult {
  const floats = (name: string) => (outputs[name]?.data ?? new Float32Array(0)) as Float32Array;
  const integers = (name: string) => (outputs[name]?.data ?? new BigInt64Array(0)) as BigInt64Array;
  const top1 = integers(NAMES.top1);
  const [nll, margin, logits] = [floats(NAMES.nll), floats(NAMES.margin), floats(NAMES.logits)];
  const skipped = top1.length - request.logitRows;
  const rows = Array.from({ length: request.logitRows }, (_, index): AnswerRow => {
    const row = skipped + index;
    return {
      ...(request.keepLogits && { logits: logits.slice(row * vocabularySize, (row + 1) * vocabularySize) }),
      top1: Number(top1[row]),
      nll: request.targets.length === 0 ? NaN : (nll[row] ?? NaN),
      margin: margin[row] ?? NaN,
    };
  });

  const count = layers * heads;
  const last = <Data extends Float32Array | Int32Array>(into: Data, from: ArrayLike<number | bigint>): Data => {
    const computed = from.length / count;
    return into.map((_, index) => {
      const pair = Math.floor(index / request.probeRows);
      return Number(from[pair * computed + computed - request.probeRows + (index % request.probeRows)]);
    }) as Data;
  };
  const probe = (name: string) => last(new Float32Array(count * request.probeRows), floats(name));
  const probes: AttentionProbes = {
    rows: request.probeRows,
    entropy: probe(PROBES.entropy),
    maxProbability: probe(PROBES.maxProbability),
    maxPosition: last(new Int32Array(count * request.probeRows), integers(PROBES.maxPosition)),
    sinkMass: probe(PROBES.sinkMass),
    sinkMass4: probe(PROBES.sinkMass4),
    localMass: probe(PROBES.localMass),
    spanMass: probe(PROBES.spanMass),
    entropyOfMean: floats(NAMES.entropyOfMean).slice(-request.probeRows || Infinity),
  };
  const finite =
    probes.entropy.every(Number.isFinite) && nll.subarray(skipped).every(Number.isFinite) && margin.subarray(skipped).every(Number.isFinite);
  const massBelow = request.edges.length === 0 ? new Float64Array(0) : (outputs[NAMES.massBelow]?.data as Float64Array);
  return { rows, probes, massBelow, finite };
}
