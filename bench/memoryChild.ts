/** Evaluates what one cell takes, in a process of its own, and prints the peak of its memory as JSON. */
import { readFileSync } from 'node:fs';
import { Decoder } from '../evaluation/decoder.js';
import { SequenceLosses } from '../evaluation/sequenceLosses.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { ropeTable } from '../rope/method.js';

export interface MemoryTask {
  readonly folder: string;
  readonly contextTokens: number;
  readonly kind: 'needle' | 'perplexity';
  readonly answerRows: number;
}

export interface MemoryMeasured {
  readonly peakBytes: number;
  /** Pages of files, mapped weights above all, at the end. */
  readonly fileBytes: number;
}

/** A field of /proc/self/status, in bytes. */
const status = (field: string): number => Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;

const { folder, contextTokens, kind, answerRows } = JSON.parse(process.argv[2] ?? '{}') as MemoryTask;
const decoder = await Decoder.open(await openCheckpoint(folder), { threads: 2, dtype: 'f32' });
decoder.useTable(ropeTable({ name: 'none' }, decoder.checkpoint.geometry, 0), contextTokens);
const tokens = Int32Array.from({ length: contextTokens }, (_, index) => index % decoder.checkpoint.config.vocabularySize);
if (kind === 'needle') await decoder.feed(tokens, { logitRows: answerRows, probeRows: answerRows, targets: tokens.subarray(0, answerRows), spans: [[0, 8]] });
else await new SequenceLosses(decoder, tokens).upTo(contextTokens);
const measured: MemoryMeasured = { peakBytes: status('VmHWM'), fileBytes: status('RssFile') };
console.log(JSON.stringify(measured));
