/** Losses of documents: against another implementation in float64, against a plain loop, and to the bit however they are cut. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { id, type CellKey } from '../../domain/ids.js';
import type { CellResult, PerplexityNumbers } from '../../domain/measurement.js';
import { firstTokens, perplexity, type WindowConvention } from '../../domain/perplexity.js';
import type { TaskWork } from '../../domain/slot.js';
import type { ResolvedDocument } from '../../domain/task.js';
import { documentsSchema } from '../../domain/taskSpec.js';
import type { Decoder } from '../../evaluation/decoder.js';
import { evaluatePerplexity, type PerplexityTexts } from '../../evaluation/perplexity.js';
import { SequenceLosses } from '../../evaluation/sequenceLosses.js';
import { resolveDocuments } from '../../prompts/documents.js';
import { openDocuments } from '../../prompts/documentTokens.js';
import { resolveHaystack } from '../../prompts/haystack.js';
import { goldenJson, goldenModelFolder, openDecoder, starterFolder, tableFor } from './fixtures.js';

const work = (documents: readonly ResolvedDocument[], windows: WindowConvention, contexts: readonly number[]): TaskWork<'perplexity'> => ({
  task: { kind: 'perplexity', documents, tokenizerDigest: 'none', windows, lastTokens: 16, buckets: null, contextTokens: contexts },
  cells: documents.flatMap((document) =>
    contexts.map((contextTokens) => ({ key: id<CellKey>(`${document.name}/${contextTokens}`), contextTokens, table: 0, axes: { document: document.id } })),
  ),
});

async function evaluate(decoder: Decoder, asked: TaskWork<'perplexity'>, texts: PerplexityTexts) {
  const results = new Map<string, CellResult>();
  const tokens = await evaluatePerplexity(decoder, asked, texts, (result) => results.set(result.key, result));
  const numbers = (key: string): PerplexityNumbers => {
    const result = results.get(key);
    if (result?.state !== 'measured' || !('perplexity' in result)) throw new Error(`${key}: ${JSON.stringify(result)}`);
    return result.perplexity;
  };
  return { results, numbers, tokens };
}

const largestDifference = (ours: readonly number[], theirs: readonly number[]): number => {
  expect(ours).toHaveLength(theirs.length);
  return Math.max(...ours.map((value, index) => Math.abs(value - (theirs[index] ?? NaN))));
};

describe('against float64', () => {
  it.each(['llama-gqa', 'llama-tied', 'llama-mha'])('%s has the golden losses of every token, and their perplexity', async (name) => {
    const golden = (await goldenJson(`forward/${name}.json`)) as { prompt: number[]; cases: { method: string; inv_freq: number[]; attention_factor: number; nll: number[]; nll_sum: number }[] };
    const length = golden.prompt.length;
    const document: ResolvedDocument = { id: 'golden', name, tokens: length, source: { kind: 'absent' }, headIds: [], textDigest: null };
    const texts = { documentTokens: () => Promise.resolve(Int32Array.from(golden.prompt)), byteLength: null };
    const decoder = await openDecoder(goldenModelFolder(name));
    let [losses, perplexities] = [0, 0];
    for (const { inv_freq: inverseFrequencies, attention_factor: attentionFactor, nll, nll_sum: sumNll } of golden.cases) {
      decoder.useTable({ inverseFrequencies, attentionFactor }, length);
      const numbers = (await evaluate(decoder, work([document], { kind: 'first' }, [length]), texts)).numbers(`${name}/${length}`);
      losses = Math.max(losses, largestDifference(numbers.nll, nll));
      const expected = Math.exp(sumNll / (length - 1));
      perplexities = Math.max(perplexities, Math.abs((perplexity(numbers) ?? NaN) / expected - 1));
    }
    await decoder.dispose();
    console.log(`${name}, ${golden.cases.length} tables: largest differences: loss ${losses.toExponential(1)}, perplexity ${perplexities.toExponential(1)} (relative)`);
    expect(losses).toBeLessThan(3e-4);
    expect(perplexities).toBeLessThan(3e-4);
  });
});

describe('on a starter model', () => {
  let decoder: Decoder;
  let documents: readonly ResolvedDocument[];
  const texts: PerplexityTexts = { documentTokens: openDocuments(null), byteLength: null };
  beforeAll(async () => {
    decoder = await openDecoder(starterFolder('base'));
    decoder.useTable(tableFor(decoder, { name: 'yarn', factor: 8 }), 1024);
    documents = await resolveDocuments(documentsSchema.parse({ kind: 'haystack', haystack: { kind: 'markov', file: 'models/starter/filler.json' }, seeds: [1, 2] }), {
      tokenizer: null,
      minimumTokens: 1024,
      resolvePath: () => Promise.reject(new Error('no path is resolved')),
      resolveHaystack: (spec) => resolveHaystack(spec, (name) => Promise.resolve(name)),
    });
  });
  afterAll(() => decoder.dispose());

  const firstOf = async (contexts: readonly number[]) => evaluate(decoder, work(documents, { kind: 'first' }, contexts), texts);

  it('losses are those of a plain loop over all logits in float64', async () => {
    const [document] = documents as [ResolvedDocument];
    const tokens = await texts.documentTokens(document, 300);
    decoder.rewind(0);
    const { rows } = await decoder.feed(tokens, { logitRows: tokens.length, keepLogits: true });
    const expected = rows.slice(0, -1).map(({ logits = new Float32Array(0) }, row) => {
      const values = [...logits];
      const largest = Math.max(...values);
      const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
      return largest + Math.log(sum) - (values[tokens[row + 1] ?? -1] ?? NaN);
    });
    const numbers = (await firstOf([300])).numbers('seed 1/300');
    const difference = largestDifference(numbers.nll, expected);
    console.log(`largest difference to a plain loop: ${difference.toExponential(1)} nats`);
    expect(difference).toBeLessThan(1e-5);
    expect(numbers.sumNll).toBeCloseTo(expected.reduce((sum, value) => sum + value, 0), 3);
    expect(numbers.tokenCount).toBe(299);
  });

  it.each([2, 3, 100, 129, 255, 399])('losses are the same bits in pieces of %i rows', async (piece) => {
    const [document] = documents as [ResolvedDocument];
    const tokens = await texts.documentTokens(document, 400);
    const whole = Float32Array.from(await new SequenceLosses(decoder, tokens).upTo(400));
    expect(Float32Array.from(await new SequenceLosses(decoder, tokens, piece).upTo(400))).toEqual(whole);
  });

  it('a longer context continues a shorter one of the same document: nothing is computed twice, every bit is the same', async () => {
    const alone = [await firstOf([1024]), await firstOf([512]), await firstOf([130])].map(({ numbers }) => numbers);
    const before = decoder.fedTokens;
    const together = await firstOf([130, 512, 1024]);
    expect(together.tokens).toEqual({ promptTokens: 2 * (130 + 512 + 1024), distinctTokens: 2 * 1024 });
    expect(decoder.fedTokens - before).toBeLessThanOrEqual(together.tokens.distinctTokens);
    for (const seed of [1, 2]) {
      const longest = together.numbers(`seed ${seed}/1024`);
      for (const [index, contextTokens] of [1024, 512, 130].entries()) {
        const key = `seed ${seed}/${contextTokens}`;
        expect(together.numbers(key)).toEqual(alone[index]?.(key));
        const { sumNll, tokenCount, byteCount } = together.numbers(key);
        expect(firstTokens(longest, contextTokens)).toEqual({ sumNll, tokenCount, byteCount });
      }
    }
  });

  it('disjoint windows are the first windows of what is left of the document, each behind BOS', async () => {
    const [document] = documents as [ResolvedDocument];
    const numbers = (await evaluate(decoder, work([document], { kind: 'disjoint', maximumWindows: 3 }, [128]), texts)).numbers('seed 1/128');
    expect(numbers).toMatchObject({ windowTokens: 128, windowStarts: [0, 127, 254], tokenCount: 3 * 127 });
    const all = await texts.documentTokens(document, 1 + 3 * 127);
    for (const [window, start] of numbers.windowStarts.entries()) {
      const tokens = Int32Array.of(0, ...all.subarray(1 + start, 1 + start + 127));
      expect(Float32Array.from(numbers.nll.slice(window * 127, (window + 1) * 127))).toEqual(await new SequenceLosses(decoder, tokens).upTo(128));
    }
  });

  it('sliding windows count each token once, at several context lengths from one set of windows', async () => {
    const [document] = documents as [ResolvedDocument];
    const short: ResolvedDocument = { ...document, tokens: 401 };
    const before = decoder.fedTokens;
    const { numbers, tokens } = await evaluate(decoder, work([short], { kind: 'sliding', strideTokens: 64, maximumWindows: 16 }, [128, 256]), texts);
    // Every own token is predicted once; starts at 0, 64, ... until a window reaches token 400.
    expect(numbers('seed 1/128')).toMatchObject({ tokenCount: 400, windowStarts: [0, 64, 128, 192, 256, 320] });
    expect(numbers('seed 1/256')).toMatchObject({ tokenCount: 400, windowStarts: [0, 64, 128, 192] });
    expect(decoder.fedTokens - before).toBeLessThanOrEqual(tokens.distinctTokens);
    expect(numbers('seed 1/256').sumNll).toBeLessThan(1.05 * numbers('seed 1/128').sumNll);
  });

  it('bytes are those of the predicted tokens', async () => {
    const [document] = documents as [ResolvedDocument];
    const text: ResolvedDocument = { ...document, textDigest: 'of a text' };
    const { numbers } = await evaluate(decoder, work([text], { kind: 'first' }, [9]), { ...texts, byteLength: (token) => token % 5 });
    const tokens = await texts.documentTokens(document, 9);
    const bytes = [...tokens.subarray(1)].map((token) => token % 5);
    expect(numbers('seed 1/9')).toMatchObject({ tokenBytes: bytes, byteCount: bytes.reduce((sum, count) => sum + count, 0) });
  });

  it('a document that cannot be read fails its own cells alone', async () => {
    const [broken, fine] = documents as [ResolvedDocument, ResolvedDocument];
    const refusing: PerplexityTexts = {
      ...texts,
      documentTokens: (document, count) =>
        document.id === broken.id ? Promise.reject(new RopesweepError('DOCUMENT_MISMATCH', { where: 'here', what: 'another text' })) : texts.documentTokens(document, count),
    };
    const { results, numbers } = await evaluate(decoder, work([broken, fine], { kind: 'first' }, [64, 128]), refusing);
    for (const contextTokens of [64, 128]) expect(results.get(`seed 1/${contextTokens}`)).toMatchObject({ state: 'failed', code: 'DOCUMENT_MISMATCH' });
    expect(numbers('seed 2/128').tokenCount).toBe(127);
  });

  it('a context that does not fit the decoder fails alone; shorter ones of the document are measured', async () => {
    const { results, numbers } = await firstOf([512, 1026]);
    expect(results.get('seed 1/1026')).toMatchObject({ state: 'failed', code: 'INTERNAL' });
    expect(numbers('seed 1/512').tokenCount).toBe(511);
    expect(numbers('seed 2/512').tokenCount).toBe(511);
  });
});
