/** Needle tasks in a plan. */
import { axisValues, valuesOf } from '../../domain/axis.js';
import { HEAD_PROBES } from '../../domain/measurement.js';
import type { PointSpec } from '../../domain/spec.js';
import type { ResolvedNeedleTask } from '../../domain/task.js';
import type { TaskSpecOf } from '../../domain/taskSpec.js';
import { haystackDigest } from '../../prompts/haystack.js';
import { minimumContextTokens } from '../../prompts/layout.js';
import { isTextNeedle, needleDigest } from '../../prompts/needle.js';
import { layoutSource, type LayoutOf } from '../../prompts/source.js';
import { standInTokenizer } from '../../prompts/standInTokenizer.js';
import { neededTokenizer } from '../../prompts/tokenizer.js';
import { templateDigest } from '../../prompts/template.js';
import { GrowingPrefixes, prefixSegments, wholeSegments } from '../prefixSegments.js';
import { ascending, type CellPoint, type TaskPlanner, type TaskShape } from './taskPlanner.js';

export const needle: TaskPlanner<'needle'> = {
  async resolve(spec, { tokenizer, provisional, tokenizerDigest, contextTokens, resolveHaystack }) {
    if (!provisional && isTextNeedle(spec.needle)) neededTokenizer(tokenizer, 'haystack and needle');
    const haystack = await resolveHaystack(spec.haystack);
    const task: ResolvedNeedleTask = {
      kind: 'needle',
      haystack,
      haystackDigest: haystackDigest(haystack),
      needle: spec.needle,
      needleDigest: needleDigest(spec.needle),
      template: spec.template,
      templateDigest: templateDigest(spec.template),
      tokenizerDigest,
      snap: spec.snap,
      criterion: spec.criterion,
      generateTokens: spec.generateTokens,
      localTokens: spec.localTokens,
      probes: spec.probes,
    };
    const layoutOf = await layoutSource(task, tokenizer);
    // Any cell that is long enough will do: lengths that are not are told by themselves.
    const seeds = axisValues(spec.seeds);
    const [seed = 1] = seeds;
    const minimum = minimumContextTokens(task, seeds, tokenizer ?? standInTokenizer);
    const { answerTokens } = layoutOf(Math.max(minimum, contextTokens.at(-1) ?? 1), { depth: 0, seed });
    return { task, shape: shapeOf(task, layoutOf, answerTokens) };
  },
  axes: (spec, _task, point) => depthsOf(spec, point).flatMap((depth) => seedsOf(spec, point).map((seed) => ({ depth, seed }))),
  // No value of an axis stands there twice.
  axesCount: (spec, point) => valuesOf(point?.depth ?? spec.depths).length * valuesOf(point?.seed ?? spec.seeds).length,
  cellLengths: (_spec, contextTokens) => contextTokens,
  // The criterion is a view of the numbers: another one colours stored cells anew.
  ingredients: ({ haystackDigest: haystack, needleDigest: drawn, templateDigest: template, snap, generateTokens, localTokens, probes }, { keepsKv }) => ({
    haystackDigest: haystack,
    needleDigest: drawn,
    templateDigest: template,
    snap,
    decoding: { answer: 'teacherForced', failing: keepsKv ? 'greedy' : 'none', generateTokens },
    probes: { stored: probes, names: HEAD_PROBES, localTokens },
  }),
  group: ({ seed }) => seed,
};

const depthsOf = (spec: TaskSpecOf<'needle'>, point?: PointSpec): number[] => ascending(valuesOf(point?.depth ?? spec.depths));
const seedsOf = (spec: TaskSpecOf<'needle'>, point?: PointSpec): number[] => ascending(valuesOf(point?.seed ?? spec.seeds));

function shapeOf({ probes, generateTokens }: ResolvedNeedleTask, layoutOf: LayoutOf, answerTokens: number): TaskShape<'needle'> {
  type Points = readonly CellPoint<'needle'>[];
  const lengths = (points: Points) => points.map(({ contextTokens }) => contextTokens);
  return {
    segments: (points, keepsKv) =>
      keepsKv ? prefixSegments(points.map(({ contextTokens, axes }) => ({ seed: axes.seed, layout: layoutOf(contextTokens, axes) }))) : wholeSegments(lengths(points)),
    growing: (keepsKv) => {
      const prefixes = new GrowingPrefixes();
      let whole = 0;
      return (points) => {
        for (const { contextTokens, axes } of points) {
          if (keepsKv) prefixes.add(layoutOf(contextTokens, axes));
          else whole += contextTokens;
        }
        return keepsKv ? prefixes.tokens : whole;
      };
    },
    promptTokens: (points) => lengths(points).reduce((sum, length) => sum + length, 0),
    outputRows: (points) => points.length * answerTokens,
    probeRows: answerTokens,
    resultBytes: (_point, { layers, heads }) => FIXED_BYTES + answerTokens * BYTES_A_ROW + generateTokens * BYTES_A_GENERATED_TOKEN + (probes === 'heads' ? HEAD_PROBES.length * layers * heads * 4 : 0),
  };
}

/** Rows of measurement, membership and result without their arrays. */
const FIXED_BYTES = 1_000;
/** Answer, argmax and generated id (4 each), loss and margin (8 each). */
const BYTES_A_ROW = 28;
const BYTES_A_GENERATED_TOKEN = 8;
