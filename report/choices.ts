/**
 * What Zhong et al. (COLING 2025) leave open, and what a sweep chose: a reader who compares numbers with the paper's has to know.
 */
import { groupBy } from '../domain/groupBy.js';
import type { ResolvedAttentionTask, ResolvedNeedleTask, ResolvedPerplexityTask, ResolvedTask } from '../domain/task.js';
import type { Gathered } from './gathered.js';
import { plural } from './labels.js';
import type { NeedleCells } from './needleCells.js';
import { conventionText } from './perplexityFace.js';

export interface Choice {
  readonly what: string;
  readonly chosen: string;
}

export function choices({ tasks, needles, arms }: Gathered): Choice[] {
  const byTask = groupBy(needles, ({ task }) => task);
  const hasSeveral = tasks.length > 1;
  const ofTasks = tasks.flatMap((task, at) =>
    choicesOf(task, seedCount(byTask.get(at) ?? [])).map(({ what, chosen }) => ({ what: hasSeveral ? `task ${at}, ${task.kind}: ${what}` : what, chosen })),
  );
  const continued = arms.filter(({ continualPretrainContextTokens }) => continualPretrainContextTokens !== null);
  const told = continued.flatMap(({ training }) => training?.tokens ?? []);
  const training = continued.length === 0 ? [] : [{ what: 'tokens of continual pretraining', chosen: told.length === 0 ? 'not told by the checkpoints' : `${rangeText(told)}${told.length < continued.length ? `; ${plural(continued.length - told.length, 'arm')} do not say` : ''}` }];
  return [...ofTasks, ...training, { what: 'unit of entropies, losses and divergences', chosen: 'nats (natural logarithm)' }];
}

function seedCount(needles: readonly NeedleCells[]): number {
  const seeds = new Set<number>();
  for (const cells of needles) for (const { seed } of cells) seeds.add(seed);
  return seeds.size;
}

const rangeText = (values: readonly number[]): string => [...new Set(values)].sort((a, b) => a - b).map((value) => value.toLocaleString('en-US')).join(', ');

function choicesOf(task: ResolvedTask, seeds: number): Choice[] {
  switch (task.kind) {
    case 'needle':
      return needleChoices(task, seeds);
    case 'perplexity':
      return perplexityChoices(task);
    case 'attention':
      return attentionChoices(task);
  }
}

const needleChoices = ({ haystack, needle, template, snap, criterion, generateTokens, localTokens }: ResolvedNeedleTask, seeds: number): Choice[] => [
  { what: 'haystack', chosen: haystack.kind },
  { what: 'needle', chosen: needle.kind },
  { what: 'prompt', chosen: template.kind === undefined || template.kind === 'ids' ? 'token ids' : `${template.kind} template` },
  { what: 'where a needle may stand', chosen: snap === 'token' ? 'at any token' : 'at the end of a sentence' },
  { what: 'what passes', chosen: criterion },
  { what: 'decoding', chosen: generateTokens === 0 ? 'greedy, decided on the answer rows' : `greedy, ${generateTokens} tokens` },
  { what: 'prompts a cell (seeds)', chosen: String(seeds) },
  { what: 'local attention', chosen: `the last ${localTokens} keys` },
];

const perplexityChoices = (task: ResolvedPerplexityTask): Choice[] => [
  { what: 'documents', chosen: String(task.documents.length) },
  { what: 'windows', chosen: conventionText(task) },
  { what: 'BOS', chosen: task.documents.every(({ headIds }) => headIds.length === 0) ? 'none' : 'before each document' },
];

const attentionChoices = ({ documents, rows, axes, references }: ResolvedAttentionTask): Choice[] => [
  { what: 'sequences', chosen: `${documents.length}, the last ${rows} queries of each` },
  { what: 'axis that distributions are compared on', chosen: axes.join(', ') },
  { what: 'references', chosen: references.length === 0 ? 'none' : references.map(({ method, contextTokens, continualPretrainContextTokens: continued }) => `${method}${continued === null ? '' : `, continued at ${continued},`} at ${contextTokens}`).join('; ') },
];
