/** A comparison in the terminal: what differs, a row a pair of arms, and differences by length. */
import { passedText, plural } from '../labels.js';
import { NOTHING } from '../armSummary.js';
import type { ArmComparison, Comparison, NeedleComparison } from '../comparison/comparison.js';
import type { Difference } from '../comparison/difference.js';
import type { Reach } from '../statistics/reach.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const GAP = '  ';
/** Differences of the spec that are printed. */
const SHOWN_DIFFERENCES = 12;
const LABEL_COLUMNS = 30;

const signed = (value: number, decimals: number): string => `${value > 0 ? '+' : ''}${value.toFixed(decimals)}`;

/** `+0.05 [-0.02, +0.11]`; without the bracket where there are too few seeds. */
function differenceText(difference: Difference | null, decimals: number): string {
  if (difference === null) return NOTHING;
  const { difference: value, interval } = difference;
  return interval === null ? signed(value, decimals) : `${signed(value, decimals)} [${signed(interval.low, decimals)}, ${signed(interval.high, decimals)}]`;
}

const reachText = (reach: Reach | null): string => (reach === null ? NOTHING : `${reach.isLongestTested ? '>= ' : ''}${reach.contextTokens} (${passedText(reach)})`);

/** Columns as wide as their widest text; where the screen is narrower, each row as a sentence. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], columns: number): string[] {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  if (widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) > columns) {
    return rows.flatMap(([label = '', ...values]) => {
      const facts = values.map((value, at) => `${heads[at + 1] ?? ''} ${value}`).join('; ');
      return [...wrapped(label, columns), ...wrapped(facts, columns - GAP.length).map((line) => GAP + line)];
    });
  }
  return [heads, ...rows].map((row) => row.map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))).join(GAP).trimEnd());
}

const shortened = (label: string): string => (label.length > LABEL_COLUMNS ? `${label.slice(0, LABEL_COLUMNS - 3)}...` : label);
const pairLabel = ({ a, b }: ArmComparison): string => shortened(printable(a.label === b.label ? a.label : `${a.label} | ${b.label}`));

export function comparisonLines(comparison: Comparison, style: TerminalStyle): string[] {
  const { a, b, arms, onlyA, onlyB } = comparison;
  const { bold, dim } = painter(style.color);
  const title = `a: ${a.sweep}, revision ${a.revision}, ${a.state}; b: ${b.sweep}, revision ${b.revision}, ${b.state}; ${plural(arms.length, 'pair')} of arms`;
  const alone = [
    ...(onlyA.length === 0 ? [] : [`only in a: ${onlyA.map(({ label }) => label).join('; ')}`]),
    ...(onlyB.length === 0 ? [] : [`only in b: ${onlyB.map(({ label }) => label).join('; ')}`]),
  ];
  return [
    ...wrapped(title, style.columns).map(bold),
    ...differingLines(comparison, style),
    ...needleLines(arms, style),
    ...perplexityLines(arms, style),
    ...attentionLines(arms, style),
    ...alone.flatMap((text) => ['', ...wrapped(printable(text), style.columns)]),
    '',
    ...wrapped('Differences are b - a over the cells that both have, with 95 % intervals by seed or document where there are five or more.', style.columns).map(dim),
  ];
}

function differingLines({ arms, spec, fingerprints }: Comparison, style: TerminalStyle): string[] {
  const weights = arms.filter(({ sameWeights }) => !sameWeights).length;
  const methods = arms.filter(({ sameMethod }) => !sameMethod).length;
  const prompts = arms.some(({ needle }) => needle.some(({ samePrompts }) => !samePrompts));
  const shared = arms.reduce((sum, { needle }) => sum + needle.reduce((own, { sameMeasurements }) => own + sameMeasurements, 0), 0);
  const sameMachines = JSON.stringify(fingerprints.a) === JSON.stringify(fingerprints.b);
  const notes = [
    ...(weights === 0 ? [] : [`weights differ in ${plural(weights, 'pair')}`]),
    ...(methods === 0 ? [] : [`methods differ in ${plural(methods, 'pair')}`]),
    ...(prompts ? ['prompts differ: a seed is not the same prompt on both sides'] : []),
    ...(shared === 0 ? [] : [`${plural(shared, 'needle cell')} are one measurement on both sides`]),
    ...(sameMachines ? [] : [`measured on: a ${fingerprints.a.join(', ') || NOTHING}; b ${fingerprints.b.join(', ') || NOTHING}`]),
  ];
  const left = spec.length - SHOWN_DIFFERENCES;
  const lines = [
    ...notes,
    ...spec.slice(0, SHOWN_DIFFERENCES).map(({ path, a, b }) => `${path}: ${a ?? NOTHING} | ${b ?? NOTHING}`),
    ...(left > 0 ? [`${plural(left, 'more difference')} of the sweep files: --json has all`] : []),
  ];
  return lines.flatMap((line) => wrapped(printable(line), style.columns));
}

function needleLines(arms: readonly ArmComparison[], style: TerminalStyle): string[] {
  const compared = arms.flatMap((arm) => arm.needle.map((needle) => ({ arm, needle })));
  if (compared.length === 0) return [];
  const { bold } = painter(style.color);
  const label = (arm: ArmComparison, needle: NeedleComparison): string => (arm.needle.length > 1 ? `${pairLabel(arm)}, task ${needle.tasks[0]}` : pairLabel(arm));
  const rows = compared.map(({ arm, needle }) => [label(arm, needle), reachText(needle.reach.a), reachText(needle.reach.b), differenceText(needle.recall, 2), differenceText(needle.entropy, 3), String(needle.recall?.pairs ?? 0)]);
  const lengths = compared.flatMap(({ arm, needle }) => needle.byLength.map(({ contextTokens, recall, entropy }) => [label(arm, needle), String(contextTokens), differenceText(recall, 2), differenceText(entropy, 3), String(recall?.pairs ?? 0)]));
  return [
    '',
    bold('Needle: reach in tokens, recall 0..1, entropy in nats'),
    ...table(['arm', 'reach a', 'reach b', 'recall b - a', 'H b - a', 'cells'], rows, style.columns),
    // By length where it is one pair; the JSON has all.
    ...(compared.length === 1 ? ['', ...table(['', 'context', 'recall b - a', 'H b - a', 'cells'], lengths.map(([, ...row]) => ['', ...row]), style.columns)] : []),
  ];
}

function perplexityLines(arms: readonly ArmComparison[], style: TerminalStyle): string[] {
  const rows = arms.flatMap((arm) => arm.perplexity.map(({ contextTokens, perplexity, loss }) => [pairLabel(arm), String(contextTokens), perplexity.a.toPrecision(4), perplexity.b.toPrecision(4), differenceText(loss, 4), String(loss.pairs)]));
  if (rows.length === 0) return [];
  return ['', painter(style.color).bold('Perplexity: over the documents that both have; loss in nats a token'), ...table(['arm', 'context', 'a', 'b', 'loss b - a', 'documents'], rows, style.columns)];
}

function attentionLines(arms: readonly ArmComparison[], style: TerminalStyle): string[] {
  const rows = arms.flatMap((arm) => arm.attention.map(({ contextTokens, entropy, sinkMass }) => [pairLabel(arm), String(contextTokens), entropy.a.toFixed(2), entropy.b.toFixed(2), signed(entropy.b - entropy.a, 2), sinkMass.a.toFixed(3), sinkMass.b.toFixed(3)]));
  if (rows.length === 0) return [];
  return ['', painter(style.color).bold('Attention: entropy in nats, mass on key 0'), ...table(['arm', 'context', 'H a', 'H b', 'b - a', 'sink a', 'sink b'], rows, style.columns)];
}
