/**
 * What is wrong with a needle task by its spec alone: parts that do not go together, needles that cannot be drawn.
 */
import type { TaskSpecOf } from '../domain/taskSpec.js';
import { isTextHaystack } from './haystack.js';
import { isTextNeedle, needleProblems } from './needle.js';
import { isTextTemplate } from './template.js';

export interface TaskProblem {
  /** Path within the task: ['needle', 'digits']. */
  readonly path: readonly string[];
  readonly what: string;
  readonly mend: string;
}

type CheckedTask = Pick<TaskSpecOf<'needle'>, 'haystack' | 'needle' | 'template' | 'snap' | 'criterion' | 'generateTokens'>;

export function needleTaskProblems({ haystack, needle, template, snap, criterion, generateTokens }: CheckedTask): TaskProblem[] {
  const problems: TaskProblem[] = needleProblems(needle).map(({ field, what, mend }) => ({ path: ['needle', field], what, mend }));
  const text = isTextNeedle(needle);
  const templateKind = template.kind ?? 'ids';
  if (isTextTemplate(template) !== text) {
    problems.push({
      path: ['template'],
      what: `the needle ${needle.kind} does not go with the template ${templateKind}`,
      mend: text ? 'Write template: {kind: base}, or {kind: chat} for a checkpoint with a chat template.' : 'Leave the template out, or give its headIds.',
    });
  }
  if (isTextHaystack(haystack) !== text) {
    problems.push({
      path: ['haystack'],
      what: `the needle ${needle.kind} does not go with the haystack ${haystack.kind}: ${text ? 'one is text, the other is not' : 'its symbols are no text'}`,
      mend: text ? 'Use the haystack noise or text.' : 'Use the haystack markov, or a needle of text.',
    });
  }
  if (snap === 'sentence' && !isTextHaystack(haystack)) {
    problems.push({ path: ['snap'], what: `the haystack ${haystack.kind} has no sentences`, mend: 'Use snap: token.' });
  }
  if (criterion === 'stringRecall' && (!text || generateTokens === 0)) {
    problems.push({
      path: ['criterion'],
      what: text ? 'stringRecall needs generated text' : 'stringRecall needs a needle of text',
      mend: text ? 'Set generateTokens, for instance to 50.' : 'Use exactMatch or tokenRecall.',
    });
  }
  if (needle.kind !== 'symbols' && needle.wording !== undefined && isTextTemplate(template) && (template.question === undefined || template.answerPrefix === undefined)) {
    problems.push({
      path: ['needle', 'wording'],
      what: 'it is a wording of your own, and the default question and answer prefix may not fit it',
      mend: 'Set question and answerPrefix of the template ({key} is what is asked for).',
    });
  }
  return problems;
}
