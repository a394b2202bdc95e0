/** Perplexity: what each arm loses with length. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { numbered } from './palette.js';
import { arms, column, curves, table } from './panel.js';
import { quoted } from './sqlTarget.js';
import { armsVariable, sweepVariable, taskVariable } from './variables.js';

const CELLS = `sweep = ${quoted('sweep')} AND task::text = ${quoted('task')} AND arm_id IN (${quoted('arm')})`;
const SERIES = numbered('arm_ordinal + 1', 'arm');

/** Over documents: all tokens at once. */
const PERPLEXITY = `SELECT context_tokens, ${SERIES} AS series, exp(sum(sum_nll) / sum(tokens)) AS value
FROM reporting.perplexity
WHERE ${CELLS}
GROUP BY context_tokens, arm_ordinal, arm
ORDER BY context_tokens, arm_ordinal`;

const BITS = `SELECT context_tokens, ${SERIES} AS series, sum(sum_nll) / sum(bytes)::float8 / ln(2) AS value
FROM reporting.perplexity
WHERE ${CELLS} AND bytes IS NOT NULL
GROUP BY context_tokens, arm_ordinal, arm
ORDER BY context_tokens, arm_ordinal`;

const BY_POSITION = `SELECT to_tokens, ${SERIES} AS series, sum(sum_nll) / sum(tokens) AS value
FROM reporting.perplexity_by_position
WHERE ${CELLS}
GROUP BY to_tokens, arm_ordinal, arm
ORDER BY to_tokens, arm_ordinal`;

const TABLE = `SELECT arm AS "Arm", windows AS "Windows", context_tokens AS "Context length", count(DISTINCT document) AS "Documents", sum(tokens) AS "Tokens",
       exp(sum(sum_nll) / sum(tokens)) AS "Perplexity", sum(sum_nll) / sum(tokens) AS "Loss", sum(sum_nll) / sum(bytes)::float8 / ln(2) AS "Bits per byte"
FROM reporting.perplexity
WHERE ${CELLS}
GROUP BY arm_ordinal, arm, windows, context_tokens
ORDER BY arm_ordinal, context_tokens`;

export const perplexityDashboard = (): ClassicDashboard =>
  dashboard({
    uid: 'ropesweep-perplexity',
    title: 'perplexity',
    description: 'What each arm loses on real text, by length and by position.',
    variables: [sweepVariable(), taskVariable('perplexity'), armsVariable()],
    panels: [
      curves(
        { id: 1, title: 'Perplexity by context length', unit: 'none', width: 24, height: 11,
          description: 'exp of the mean loss over all counted tokens of all documents. Where windows are `first`, a point is the first so many tokens of each document, from one pass. Both axes are logarithmic; arms have the colours of their places in the sweep file.' },
        { x: 'context_tokens', xTitle: 'Context length, tokens', yTitle: 'Perplexity', logY: true },
        PERPLEXITY,
      ),
      curves(
        { id: 2, title: 'Loss by position in the document', unit: 'none', width: 12, height: 10,
          description: 'Mean loss in nats of tokens whose context (tokens before them) lies in a bucket, drawn at its end; buckets double from 64, and what is left after the last whole 64 tokens is left out. Of one window from the start only (windows: first). It tells whether more context still helps.' },
        { x: 'to_tokens', xTitle: 'Context seen, up to tokens', yTitle: 'Loss, nats per token' },
        BY_POSITION,
      ),
      curves(
        { id: 3, title: 'Bits per byte by context length', unit: 'none', width: 12, height: 10,
          description: 'Loss over UTF-8 bytes of the counted tokens: does not depend on the tokenizer. Empty where tokens are no text.' },
        { x: 'context_tokens', xTitle: 'Context length, tokens', yTitle: 'Bits per byte' },
        BITS,
      ),
      table(
        { id: 4, title: 'Perplexity, loss and bits per byte of each arm and length', unit: 'none', empty: 'nothing is measured', width: 24, height: 9,
          description: 'Over all documents of the task. Loss in nats per token. Compare arms on the same documents: the counts say whether all are measured.' },
        TABLE,
      )
        .overrideByName('Arm', arms)
        .overrideByRegexp('/^(Perplexity|Loss|Bits per byte)$/', column('none', 3)),
    ],
  });
