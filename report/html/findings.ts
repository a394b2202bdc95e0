/** The findings section of the HTML report: sentences to quote, figures, tables, caveats. */
import { groupBy } from '../../domain/groupBy.js';
import type { Findings } from '../findings.js';
import {
  aurocText,
  COMPARISON_WORDS,
  countsText,
  differenceText,
  drawsText,
  failureSentence,
  FINDING_TITLES,
  partText,
  patternSentence,
  pretrainSentence,
  pText,
  reachesText,
  shareText,
  SOURCE_WORDS,
  spreadText,
} from '../findingsFace.js';
import { NOTHING } from '../armSummary.js';
import { plural } from '../labels.js';
import type { EntropyFailure } from '../statistics/entropyFailure.js';
import type { PatternReach } from '../statistics/patternReach.js';
import type { PretrainStep } from '../statistics/pretrainLength.js';
import { forestSpec, FOREST_WIDTH, scatterSpec, SCATTER_WIDTH } from './findingSpecs.js';
import { html, table, type Markup } from './markup.js';
import { drawnSvg } from './svg.js';

/** Arms that a forest plot has room for; the table has all. */
const FOREST_ARMS = 40;
/** Scatters that are drawn; the trained length is the first. */
const DRAWN_SCATTERS = 4;

/** Nothing where no task could bear on any of them. */
export async function findingsSection(found: Findings): Promise<Markup> {
  const { patternReach, entropyFailure, pretrainLength, caveats } = found;
  if (patternReach.length + entropyFailure.length + pretrainLength.length === 0) return html``;
  const limits =
    caveats.length === 0
      ? html`<p>None of the caveats that are looked for applies.</p>`
      : html`<ul>${caveats.map(({ text, arms }) => html`<li>${text}${arms.length === 0 ? '' : html` <span class="soft">(${shortList(arms)})</span>`}</li>\n`)}</ul>`;
  return html`<section id="findings"><h2>Findings</h2>
<p>The three findings of Zhong et al. (COLING 2025), asked of this sweep. Cells of one seed share a haystack, so tests exchange and intervals draw whole seeds.</p>
<h3>${FINDING_TITLES.patternReach}</h3>${await patterns(patternReach)}
<h3>${FINDING_TITLES.entropyFailure}</h3>${await failures(entropyFailure)}
<h3>${FINDING_TITLES.pretrainLength}</h3>${steps(pretrainLength)}
<h3>Caveats</h3>${limits}
<p class="soft">${drawsText(found)} Every number is defined in docs/statistics.md.</p></section>
`;
}

const LISTED_ARMS = 6;
const shortList = (names: readonly string[]): string => (names.length <= LISTED_ARMS ? names.join('; ') : `${names.slice(0, LISTED_ARMS).join('; ')} and ${names.length - LISTED_ARMS} more`);

async function patterns(all: readonly PatternReach[]): Promise<Markup> {
  if (all.length === 0) return html`<p>Not asked: it needs an attention task with a reference, and a needle task of the same arms.</p>`;
  const ordered = [...all].sort((a, b) => Number(b.isTrainedLength) - Number(a.isTrainedLength) || a.contextTokens - b.contextTokens);
  const severalAxes = new Set(all.map(({ axis, attentionTask, needleTask }) => `${axis} ${attentionTask} ${needleTask}`)).size > 1;
  const drawn: Markup[] = [];
  for (const [at, scatter] of ordered.slice(0, DRAWN_SCATTERS).entries()) drawn.push(await patternFigure(scatter, at, severalAxes));
  const left = ordered.length - drawn.length;
  return html`<ul>${ordered.map((scatter) => html`<li>${patternSentence(scatter)}${severalAxes ? html` <span class="soft">(axis ${scatter.axis}, tasks ${scatter.attentionTask} and ${scatter.needleTask})</span>` : ''}</li>\n`)}</ul>
<div class="figures" style="--figure: ${SCATTER_WIDTH}px">${drawn}</div>${left > 0 ? html`<p>${plural(left, 'more scatter')} without a figure: ropesweep report --json has them.</p>` : ''}`;
}

async function patternFigure(scatter: PatternReach, at: number, severalAxes: boolean): Promise<Markup> {
  const { contextTokens, isTrainedLength, reference, points, ofHeads, axis } = scatter;
  const title = `Divergence at ${contextTokens} tokens${isTrainedLength ? ', the trained length' : ''}, against reach${severalAxes ? ` (${axis}, ${at + 1})` : ''}`;
  const description = `Scatter of ${plural(points.length, 'arm')}: the Jensen-Shannon divergence of its attention to ${reference}, and its reach. The table below has the numbers.`;
  const svg = await drawnSvg(scatterSpec(scatter), { elementId: `pattern-${at}`, title, description });
  return html`<figure id="pattern-reach-${at}"><figcaption><h4>${title}</h4><p>a point an arm, with the length it was continued at (base: not continued) · ${ofHeads ? 'mean over heads of the divergence of each' : 'divergence of the mean over heads'} · ≥: nothing longer was tested</p></figcaption>
<div class="scroll">${svg}</div>
<details><summary>Numbers</summary>${table(
    title,
    [{ head: 'arm' }, { head: 'JS, nats', numeric: true }, { head: 'reach', numeric: true }],
    points.map(({ arm, divergence, reachTokens, isLongestTested, isReference }) => [isReference ? `${arm.label} (the reference)` : arm.label, divergence.toFixed(4), reachTokens === null ? NOTHING : `${isLongestTested ? '≥ ' : ''}${reachTokens}`]),
  )}</details></figure>
`;
}

async function failures(all: readonly EntropyFailure[]): Promise<Markup> {
  if (all.length === 0) return html`<p>Not asked: it needs measured needle cells.</p>`;
  const groups = [...groupBy(all, ({ task, source }) => `${task} ${source}`).values()];
  const severalTasks = new Set(all.map(({ task }) => task)).size > 1;
  const drawn: Markup[] = [];
  for (const [at, group] of groups.entries()) drawn.push(await failureGroup(group, at, severalTasks));
  return html`${drawn}`;
}

async function failureGroup(group: readonly EntropyFailure[], at: number, severalTasks: boolean): Promise<Markup> {
  const [first] = group;
  if (first === undefined) return html``;
  const name = `${SOURCE_WORDS[first.source]}${severalTasks ? `, task ${first.task}` : ''}`;
  const shown = group.slice(0, FOREST_ARMS);
  const isComputed = group.some(({ comparisons }) => comparisons.some(({ comparison, state }) => comparison === 'lengthAndDepth' && state === 'computed'));
  const title = `AUROC of the ${name}`;
  const description = `For ${plural(shown.length, 'arm')} the share of pairs of a failing and a passing cell, at the same length and depth, whose failing cell has the higher entropy, with a 95 % interval; one half means that entropy says nothing. The table below has the numbers.`;
  const figure = isComputed
    ? html`<figure id="entropy-failure-${at}" style="max-width: ${FOREST_WIDTH}px"><figcaption><h4>${title}</h4><p>95 % interval by seed · dashed: one half, entropy says nothing${group.length > shown.length ? ` · the first ${shown.length} of ${group.length} arms` : ''}</p></figcaption>
<div class="scroll">${await drawnSvg(forestSpec(shown), { elementId: `forest-${at}`, title, description })}</div></figure>
`
    : html``;
  return html`<p><strong>${name.charAt(0).toUpperCase()}${name.slice(1)}.</strong> ${failureSentence(group)}</p>
${figure}${failureTable(group, name)}${partTable(group, name)}`;
}

/** A row an arm: the comparison to quote with its p, the paper's own beside it. */
const failureTable = (group: readonly EntropyFailure[], name: string): Markup =>
  table(
    `AUROC of the ${name} for failure, with 95 % intervals; failing / passing cells / seeds that can be compared`,
    [
      { head: 'arm' },
      { head: COMPARISON_WORDS.lengthAndDepth },
      { head: 'cells', numeric: true },
      { head: 'p', numeric: true },
      { head: 'p, Holm', numeric: true },
      { head: COMPARISON_WORDS.length },
      { head: COMPARISON_WORDS.depth },
      { head: 'length alone', numeric: true },
    ],
    group.map(({ arm, comparisons }) => {
      const of = (wanted: string) => comparisons.find(({ comparison }) => comparison === wanted);
      const [quoted, length, depth] = [of('lengthAndDepth'), of('length'), of('depth')];
      if (quoted === undefined || length === undefined || depth === undefined) return [arm.label];
      return [arm.label, aurocText(quoted), countsText(quoted), pText(quoted.p), pText(quoted.adjustedP), aurocText(length), aurocText(depth), shareText(depth.lengthAuroc)];
    }),
  );

function partTable(group: readonly EntropyFailure[], name: string): Markup {
  const own = group.filter(({ byLength }) => byLength.length > 0);
  if (own.length === 0) return html``;
  return html`<details><summary>By length and by depth</summary>${table(
    `The same comparison in its parts, ${name}: AUROC of the pairs at one length (stratified by depth) and at one depth (stratified by length)`,
    [{ head: 'arm' }, { head: 'by length, tokens' }, { head: 'by depth' }],
    own.map(({ arm, byLength, byDepth }) => [arm.label, lines(byLength.map((part) => partText(part, false))), lines(byDepth.map((part) => partText(part, true)))]),
  )}</details>`;
}

const lines = (texts: readonly string[]): Markup => html`${texts.map((text) => html`<div>${text}</div>`)}`;

function steps(all: readonly PretrainStep[]): Markup {
  if (all.length === 0) return html`<p>Not asked: it needs a method with checkpoints that were continued at two lengths.</p>`;
  const severalTasks = new Set(all.map(({ task }) => task)).size > 1;
  const of = (step: PretrainStep): string => `${step.methodLabel}, ${step.longerTokens} against ${step.shorterTokens}${severalTasks ? `, task ${step.task}` : ''}`;
  return html`<ul>${all.map((step) => html`<li>${pretrainSentence(step)}</li>\n`)}</ul>
${table(
    'Longer against shorter continual pretraining: difference of the mean entropy in nats (below 0: the longer one has the lower entropy) and reach in tokens',
    [{ head: 'continued at' }, { head: 'tokens' }, { head: 'H longer - H shorter (interval)' }, { head: 'the interval spans' }, { head: 'reach, longer', numeric: true }, { head: 'reach, shorter', numeric: true }],
    all.map((step) => [of(step), step.tokens, differenceText(step.overall), spreadText(step), reachesText(step.longer), reachesText(step.shorter)]),
  )}
<details><summary>By context length</summary>${table(
    'Mean entropies in nats over the cells that both have',
    [{ head: 'continued at' }, { head: 'context', numeric: true }, { head: 'H shorter', numeric: true }, { head: 'H longer', numeric: true }, { head: 'difference' }, { head: 'cells', numeric: true }],
    all.flatMap((step) => step.byLength.map((part) => [of(step), part.contextTokens ?? NOTHING, part.shorter.toFixed(3), part.longer.toFixed(3), differenceText(part), part.cells])),
  )}</details>`;
}
