/** The parts of the report around the figures: what was run, the arm table, how to read it, what has no numbers. */
import { stringify } from 'yaml';
import { ENGINE, NUMERICS_VERSION } from '../../domain/engine.js';
import { groupBy } from '../../domain/groupBy.js';
import type { SweepHead } from '../../domain/rows.js';
import type { SweepState } from '../../domain/states.js';
import { SCORER_VERSION } from '../../domain/task.js';
import { hasSeveralTasks, type ArmGrid } from '../aggregate.js';
import { ARM_COLUMNS, armSummary, type ArmColumn } from '../armSummary.js';
import { MARKS, NO_NUMBERS } from '../cellFace.js';
import { choices } from '../choices.js';
import { cellCount, type Gathered } from '../gathered.js';
import { depthLabels, modelTexts, plural, statesText } from '../labels.js';
import type { NamedCell } from '../outcomes.js';
import { html, table, type Column, type Content, type Markup } from './markup.js';

const STATE_WORDS: Readonly<Record<SweepState, string>> = {
  running: 'running: more results may come',
  paused: 'paused: what is in flight goes on to its end, nothing new is started until it is resumed',
  stopping: 'stopping: what is in flight goes on to its end',
  cancelling: 'being cancelled',
  done: 'done: every cell has its numbers',
  incomplete: 'incomplete: some cells failed, did not fit into memory or were not reached',
  stopped: 'stopped before its end; running it again continues',
  cancelled: 'cancelled; running it again continues',
};

const time = (date: Date): string => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

const distinct = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;

export function facts(rows: Gathered): Markup {
  const states = statesText(rows.states);
  const description = field(rows.spec, 'description');
  const deviceClass = field(rows.spec, 'deviceClass');
  const fingerprints = distinct([...rows.fingerprints.values()].flatMap((own) => [...own]));
  const list: [string, Content][] = [
    ['sweep', `${rows.sweep}, revision ${rows.revision}`],
    ['state', STATE_WORDS[rows.state]],
    ['model', rows.arms.length === 0 ? 'none' : modelTexts(rows.arms).join(', ')],
    ['cells', `${cellCount(rows.states)}${states === '' ? '' : `: ${states}`}`],
    ['arms', rows.arms.length],
    ['created', time(rows.createdAt)],
    ['last change', time(rows.updatedAt)],
    ['plan digest', html`<code>${rows.planDigest}</code>`],
    ['device class', typeof deviceClass === 'string' ? deviceClass : 'not told'],
    ['versions', `onnxruntime ${ENGINE.onnxruntime}, graph ${ENGINE.graph}, numerics ${NUMERICS_VERSION}, scorer ${SCORER_VERSION}`],
    ['measured on', fingerprints.length === 0 ? 'nothing yet' : fingerprints.map((fingerprint) => html`<div>${fingerprint}</div>`)],
  ];
  return html`${typeof description === 'string' ? html`<p>${description}</p>` : ''}<dl class="facts">${list.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>`;
}

const ARM_HEAD: Readonly<Record<ArmColumn, Column>> = {
  method: { head: 'method' },
  continuedAt: { head: 'continued at', numeric: true },
  effectiveScale: { head: 'effective scale', numeric: true },
  logitScale: { head: 'logit scale', numeric: true },
  reach: { head: 'reach', numeric: true },
  reachRecall: { head: 'recall there, 95 % interval' },
  splitAt: { head: 'H compared at', numeric: true },
  entropyPassing: { head: 'H of passing (n)', numeric: true },
  entropyFailing: { head: 'H of failing (n)', numeric: true },
};

/** @param drawn how many of them have a heat map in the page, the first ones */
export function armTable(grids: readonly ArmGrid[], drawn: number): Markup {
  const hasTasks = hasSeveralTasks(grids);
  return table(
    'Every arm; H is the mean attention entropy in nats of passing and of failing cells at one context length.',
    [{ head: 'arm' }, ...(hasTasks ? [{ head: 'task', numeric: true }] : []), ...ARM_COLUMNS.map((column) => ARM_HEAD[column])],
    grids.map((grid, at) => {
      const summary = armSummary(grid, '≥');
      const arm = at < drawn ? html`<a href="#arm-${at}">${grid.arm.label}</a>` : grid.arm.label;
      return [arm, ...(hasTasks ? [grid.task] : []), ...ARM_COLUMNS.map((column) => summary[column])];
    }),
  );
}

type Term = readonly [term: string, meaning: string];

const NEEDLE_TERMS: readonly Term[] = [
  ['colour', 'Recall: share of the seeds whose whole answer was retrieved, greedy decoding, exact match. From dark violet (0 %) to yellow (100 %).'],
  ['number', 'Mean attention entropy in nats over layers, heads, the rows of the generated answer tokens (Algorithm 1 of Zhong et al. 2025), and the seeds of the cell.'],
  [MARKS.firstRow, 'A cell here has no entropy over generated tokens, so all of them show that of the first answer row, which is the same under any decoding.'],
  [MARKS.partial, 'Some seeds have no numbers; beside a reach: cells that decide it have none.'],
  ['dashed line', 'The length of continual pretraining: columns left of it are no longer than that. None where the checkpoint was not continued. An arrow: the length lies outside the tested ones.'],
  ['dotted line', 'L0, the trained length of the base.'],
  [`${NO_NUMBERS.failed}, ${NO_NUMBERS.infeasible}, ${NO_NUMBERS.diverged}, ${NO_NUMBERS.planned}`, 'Quarantined after its attempts; out of memory; output not finite (counts as not retrieved); not run yet.'],
  ['reach', 'The largest tested context such that it and every smaller one have recall >= 90 %, over all depths and seeds; ≥ where nothing longer was tested. With passed/n and the 95 % Wilson interval of the recall there.'],
  ['H compared at', 'Raw entropy is bounded by ln(keys) and grows with length, so passing and failing cells are compared at one length only: the one where both exist that is nearest to the first length below 90 %.'],
];

const PERPLEXITY_TERMS: readonly Term[] = [
  ['perplexity', 'exp of the mean of -ln p over all predicted tokens of all documents, in nats: long documents weigh more than short ones. Shorter contexts are prefixes of the longest one wherever the table of the method does not depend on the length.'],
  ['bits per byte', 'The same losses in bits over the UTF-8 bytes of the predicted text: compares models whose tokenizers differ.'],
  ['perplexity by position', 'Over all losses whose token had so many tokens before it, BOS among them.'],
];

const ATTENTION_TERMS: readonly Term[] = [
  ['JS', 'Jensen-Shannon divergence of two mean attention distributions, in nats: 0 where they are equal, ln 2 = 0.693 where they share no key. Key positions of different lengths are compared on the axis that is named.'],
  ['distribution', 'Mean attention of the last queries of each document over its keys, over documents, layers and heads; on the axis fraction, key 0 has a bin of its own and the others are 128 equal shares of the context.'],
];

const ARM_TERMS: readonly Term[] = [
  ['effective scale', 'Base inverse frequency over that of the method, at the slowest pair of dimensions. Methods with equal factors need not have equal scales.'],
  ['logit scale', 'What the method multiplies attention logits by: a part of a lower entropy may be this temperature.'],
];

/** What colours, lines, numbers and marks mean, of the tasks that the report shows. */
export function howToRead(shown: { readonly needles: boolean; readonly perplexity: boolean; readonly attention: boolean }): Markup {
  const terms = [...(shown.needles ? NEEDLE_TERMS : []), ...(shown.perplexity ? PERPLEXITY_TERMS : []), ...(shown.attention ? ATTENTION_TERMS : []), ...ARM_TERMS];
  return html`<dl class="facts">${terms.map(([term, meaning]) => html`<dt>${term}</dt><dd>${meaning}</dd>\n`)}</dl>`;
}

function axesText(cell: NamedCell): string {
  switch (cell.taskKind) {
    case 'needle':
      return `, depth ${depthLabels([cell.depth])[0] ?? ''} %, seed ${cell.seed}`;
    case 'perplexity':
      return `, document ${cell.document.slice(0, 12)}`;
    case 'attention':
      return '';
  }
}

function cellName(cell: NamedCell, labels: ReadonlyMap<string, string>): string {
  return `${labels.get(cell.armId) ?? cell.armId}: ${cell.contextTokens} tokens${axesText(cell)}`;
}

/** Failed, infeasible and diverged cells by reason. */
export function outcomes(rows: Gathered): Markup {
  const groups = rows.outcomes;
  if (groups.length === 0) return html`<p>No cell failed, ran out of memory or diverged.</p>`;
  const labels = new Map<string, string>(rows.arms.map(({ id, label }) => [id, label]));
  return html`<ul>${groups.map(({ state, reason, cells, listed }) => {
    const more = cells - listed.length;
    return html`<li>${plural(cells, 'cell')} ${state}: ${reason}<details><summary>Which</summary><ul>${listed
      .map((cell) => html`<li>${cellName(cell, labels)}</li>`)}${more > 0 ? html`<li>and ${more} more: see ropesweep export ${rows.sweep}</li>` : ''}</ul></details></li>\n`;
  })}</ul>`;
}

/** What the paper leaves open, and what was chosen. */
export const choiceTable = (rows: Gathered): Markup =>
  table('What Zhong et al. (COLING 2025) leave open, and what this sweep chose', [{ head: 'open' }, { head: 'chosen here' }], choices(rows).map(({ what, chosen }) => [what, chosen]));

/** Digests of what the numbers rest on: equal ones mean equal weights, prompts or documents, wherever they lie. */
export function identities({ arms, tasks }: SweepHead): Markup {
  const weights = [...groupBy(arms, ({ weightsId }) => weightsId)].map(([id, own]) => [`weights of ${own.map(({ label }) => label).join('; ')}`, id]);
  const several = tasks.length > 1;
  const ofTasks = tasks.flatMap((task, at) =>
    Object.entries(task).flatMap(([name, value]) => (name.endsWith('Digest') && typeof value === 'string' ? [[`${several ? `task ${at}, ` : ''}${task.kind}: ${name.slice(0, -'Digest'.length)}`, value]] : [])),
  );
  return html`<details><summary>Digests of weights, prompts and documents</summary>${table('Equal digests mean equal things, wherever they lie', [{ head: 'of' }, { head: 'digest' }], [...weights, ...ofTasks].map(([of = '', digest = '']) => [of, html`<code>${digest}</code>`]))}</details>`;
}

export const specSource = (rows: SweepHead): Markup => html`<pre><code>${stringify(rows.spec, { lineWidth: 100 })}</code></pre>`;
