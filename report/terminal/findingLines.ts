/** The findings in the terminal: sentences to quote; tables and figures are in the HTML report. */
import { groupBy } from '../../domain/groupBy.js';
import type { Findings } from '../findings.js';
import { failureSentence, FINDING_TITLES, patternSentence, pretrainSentence, SOURCE_WORDS } from '../findingsFace.js';
import { plural } from '../labels.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const INDENT = '  ';
/** Sentences of one finding that are printed. */
const SHOWN = 6;

/** Lines of all findings; none where no task bears on one. */
export function findingLines({ patternReach, entropyFailure, pretrainLength, caveats }: Findings, style: TerminalStyle): string[] {
  const { bold, dim } = painter(style.color);
  const groups = [...groupBy(entropyFailure, ({ task, source }) => `${task} ${source}`).values()];
  const trained = patternReach.filter(({ isTrainedLength }) => isTrainedLength);
  const findings = [
    { title: FINDING_TITLES.patternReach, sentences: (trained.length > 0 ? trained : patternReach).map(patternSentence) },
    { title: FINDING_TITLES.entropyFailure, sentences: groups.map((group) => `${SOURCE_WORDS[group[0]?.source ?? 'entropyFirst']}: ${failureSentence(group)}`) },
    { title: FINDING_TITLES.pretrainLength, sentences: pretrainLength.map(pretrainSentence) },
  ].filter(({ sentences }) => sentences.length > 0);
  if (findings.length === 0) return [];
  const indented = (text: string): string[] => wrapped(printable(text), style.columns - INDENT.length).map((line) => INDENT + line);
  return [
    ...findings.flatMap(({ title, sentences }) => {
      const left = sentences.length - SHOWN;
      return ['', ...wrapped(title, style.columns).map(bold), ...sentences.slice(0, SHOWN).flatMap(indented), ...(left > 0 ? [`${INDENT}${plural(left, 'more sentence')} in the HTML report`] : [])];
    }),
    ...(caveats.length === 0 ? [] : wrapped(`${plural(caveats.length, 'caveat')} in the HTML report (docs/statistics.md).`, style.columns).map(dim)),
  ];
}
