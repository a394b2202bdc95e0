import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type WeightsId } from '../../domain/ids.js';
import type { ArmRow, AttentionCellRow, NeedleCellRow, SweepRows } from '../../domain/rows.js';
import { findings } from '../../report/findings.js';
import { positionOf } from '../../report/statistics/seedCells.js';
import type { EntropyComparison } from '../../report/statistics/entropyFailure.js';
import { randomStream } from '../../domain/random.js';
import { seedPermutation } from '../../report/statistics/seedPermutation.js';
import { everyState, needleNumbers, noCells, nothingMeasured, NTK, oneArm, sweepRows, tenArms } from './fixtures.js';
import { planted } from './planted.js';
import { gathered } from './source.js';

/** Fewer than a report draws: tests make hundreds of them. */
const DRAWS = { permutations: 199, resamples: 199, randomSeed: 1 };
const ALPHA = 0.05;
/** What cells of a seed share weighs twice as much as what each has of its own. */
const CLUSTER = 2;

const first = async (rows: SweepRows, comparison: EntropyComparison['comparison'] = 'lengthAndDepth', draws = DRAWS): Promise<EntropyComparison> => {
  const found = findings(await gathered(rows), draws).entropyFailure[0]?.comparisons.find((one) => one.comparison === comparison);
  if (found === undefined) throw new Error('the fixture has an arm with that comparison');
  return found;
};

describe('entropy against failure', () => {
  it('finds a planted effect, with the AUROC that the effect implies: normal noise, one standard deviation apart', async () => {
    const found = await first(planted({ draw: 1, seeds: 120, effect: 1, cluster: 0 }));
    // P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    expect(found.auroc).toBeCloseTo(0.7602, 1);
    expect(found.state).toBe('computed');
    expect(found.p).toBe(2 / 200);
    expect(found.interval?.low).toBeGreaterThan(0.5);
    expect((found.interval?.low ?? 1) < (found.auroc ?? 0) && (found.auroc ?? 1) < (found.interval?.high ?? 0)).toBe(true);
  });

  it('does not take noise, shared by the cells of a seed, for an effect: of 300 sweeps without one about 5 % have p <= 0.05', async () => {
    const sweeps = await Promise.all(Array.from({ length: 150 }, (_, draw) => gathered(planted({ draw, seeds: 12, effect: 0, cluster: CLUSTER }))));
    const ps = sweeps.flatMap((rows) =>
      findings(rows, { ...DRAWS, resamples: 1 }).entropyFailure.filter(({ source }) => source === 'entropyFirst').flatMap(({ comparisons }) => comparisons.filter(({ comparison }) => comparison === 'lengthAndDepth').map(({ p }) => p ?? 1)),
    );
    const rejected = ps.filter((p) => p <= ALPHA).length / ps.length;
    const median = [...ps].sort((a, b) => a - b)[ps.length / 2] ?? NaN;
    console.log(`${ps.length} null draws: ${(100 * rejected).toFixed(1)} % have p <= 0.05, median p ${median.toFixed(2)}`);
    expect(ps).toHaveLength(300);
    expect(rejected).toBeGreaterThan(0.01);
    expect(rejected).toBeLessThan(0.09);
    expect(median).toBeGreaterThan(0.38);
    expect(median).toBeLessThan(0.62);
  });

  it('where a test that exchanges cells in place of seeds would take it for one', () => {
    const cellsOf = (rows: SweepRows) =>
      rows.cells.flatMap((cell, index) => {
        if (cell.taskKind !== 'needle' || cell.needle === null || cell.armId !== rows.arms[0]?.id) return [];
        return [{ contextTokens: cell.contextTokens, depth: cell.depth, seed: index, failed: !cell.needle.exactMatch, value: cell.needle.entropyFirst }];
      });
    const ps = Array.from({ length: 100 }, (_, draw) => seedPermutation(cellsOf(planted({ draw, seeds: 12, effect: 0, cluster: CLUSTER })), [positionOf], 199, randomStream('test', draw))[0] ?? 1);
    const rejected = ps.filter((p) => p <= ALPHA).length / ps.length;
    console.log(`exchanging cells: ${(100 * rejected).toFixed(1)} % have p <= 0.05`);
    expect(rejected).toBeGreaterThan(0.15);
  });

  it('tells an effect of the length from one of the entropy: across lengths the AUROC is high, but so is that of the length alone, and p is as small as by chance', async () => {
    const found = await Promise.all(Array.from({ length: 100 }, (_, draw) => first(planted({ draw, seeds: 12, effect: 0, cluster: 0, growth: 2 }), 'depth', { ...DRAWS, resamples: 1 })));
    const mean = (values: readonly (number | null)[]) => values.reduce<number>((sum, value) => sum + (value ?? NaN), 0) / values.length;
    expect(mean(found.map(({ auroc }) => auroc))).toBeGreaterThan(0.6);
    expect(mean(found.map(({ lengthAuroc }) => lengthAuroc))).toBeGreaterThan(0.6);
    const rejected = found.filter(({ p }) => (p ?? 1) <= ALPHA).length / found.length;
    console.log(`across lengths, no effect: ${(100 * rejected).toFixed(0)} % have p <= 0.05`);
    expect(rejected).toBeLessThan(0.12);
    expect((await first(planted({ draw: 7, seeds: 40, effect: 0, cluster: 0, growth: 2 }))).lengthAuroc).toBe(0.5);
  });

  it('adjusts p over the arms of a comparison', async () => {
    const computed = findings(await gathered(planted({ draw: 3, seeds: 30, effect: 0.4, cluster: 0 })), DRAWS).entropyFailure.filter(({ source }) => source === 'entropyFirst');
    expect(computed).toHaveLength(2);
    const ps = computed.map(({ comparisons }) => comparisons[0]?.p ?? NaN);
    const adjusted = computed.map(({ comparisons }) => comparisons[0]?.adjustedP ?? NaN);
    expect(Math.min(...adjusted)).toBeCloseTo(Math.min(1, 2 * Math.min(...ps)), 12);
  });

  it('says too few below five failures, five passes or five seeds, and gives neither p nor interval', async () => {
    const fourSeeds = await first(planted({ draw: 1, seeds: 4, effect: 1, cluster: 0 }));
    expect(fourSeeds).toMatchObject({ state: 'tooFew', seeds: 4, p: null, interval: null, adjustedP: null });
    expect(fourSeeds.auroc).not.toBeNull();
    const fourFailures = oneArm({
      contexts: [128],
      depths: [0],
      seeds: Array.from({ length: 30 }, (_, seed) => seed),
      change: (cell) => ({ ...cell, needle: needleNumbers({ exactMatch: cell.seed >= 4 }) }),
    });
    expect(await first(fourFailures)).toMatchObject({ state: 'tooFew', failures: 4, passes: 26, seeds: 30 });
    const all = await first(oneArm({ change: (cell) => ({ ...cell, needle: needleNumbers({}) }) }));
    expect(all).toMatchObject({ state: 'tooFew', failures: 0, passes: 0, pairs: 0, auroc: null });
  });

  it('leaves out cells that refinement chose, and takes those of the audit', async () => {
    const rows = planted({ draw: 1, seeds: 10, effect: 1, cluster: 0 });
    const count = async (origin: NeedleCellRow['origin']) => findings(await gathered({ ...rows, cells: rows.cells.map((cell) => (cell.contextTokens === 512 ? { ...cell, origin } : cell)) }), DRAWS).entropyFailure[0]?.cells;
    expect([await count('grid'), await count('audit'), await count('refine')]).toEqual([90, 90, 60]);
  });

  it('is told of entropy too where every cell generated text, and of entropyFirst alone where one did not', async () => {
    const sources = async (rows: SweepRows) => [...new Set(findings(await gathered(rows), DRAWS).entropyFailure.map(({ source }) => source))];
    expect(await sources(oneArm())).toEqual(['entropyFirst', 'entropy']);
    expect(await sources(everyState())).toEqual(['entropyFirst']);
  });

  it('is shown by length and by depth: parts of the same pairs', async () => {
    const [found] = findings(await gathered(planted({ draw: 2, seeds: 20, effect: 1, cluster: 0 })), DRAWS).entropyFailure;
    const pairs = (parts: readonly { readonly pairs: number }[] | undefined) => parts?.reduce((sum, part) => sum + part.pairs, 0);
    expect(found?.byLength.map(({ at }) => at)).toEqual([128, 256, 512]);
    expect(found?.byDepth.map(({ at }) => at)).toEqual([0, 0.5, 1]);
    expect([pairs(found?.byLength), pairs(found?.byDepth)]).toEqual([found?.comparisons[0]?.pairs, found?.comparisons[0]?.pairs]);
  });
});

/** The needle cells of ten arms, and an attention cell of each at 128 tokens whose divergence to plain RoPE is as given. */
function withPatterns(divergenceOf: (arm: ArmRow, index: number) => number): SweepRows {
  const rows = tenArms();
  const cell = (arm: ArmRow, index: number): AttentionCellRow => {
    // Two bins: the reference is (1/2, 1/2), and JS grows with the distance to it.
    const half = 0.5 + divergenceOf(arm, index) / 2;
    return {
      key: id<CellKey>(digest(['attention', index])),
      armId: arm.id,
      task: 1,
      taskKind: 'attention',
      contextTokens: 128,
      state: 'measured',
      origin: 'grid',
      reason: null,
      measured: null,
      attention: { layers: 1, headCount: 1, documents: 1, rows: 64, distributions: [{ axis: 'fraction', bins: 2, mean: [half, 1 - half], heads: null }], entropy: 1, entropyNormalized: 0.2, sinkMass: 0.1, tokenDigest: digest('tokens') },
    };
  };
  return {
    ...rows,
    tasks: [
      { kind: 'needle', criterion: 'exactMatch' } as SweepRows['tasks'][number],
      { kind: 'attention', documents: [], documentsDigest: digest('documents'), tokenizerDigest: 'none', rows: 64, axes: ['fraction'], references: [{ method: 'none', continualPretrainContextTokens: null, contextTokens: 128 }], probes: 'summary' },
    ],
    cells: [...rows.cells, ...rows.arms.map(cell)],
  };
}

describe('attention pattern against reach', () => {
  const reachOf = (arm: ArmRow): number => Math.log2((arm.continualPretrainContextTokens ?? 64) / 64) / 5;

  it('has a planted order of arms, at the trained length, without the reference and without a p', async () => {
    const [found] = findings(await gathered(withPatterns((arm, index) => (index === 0 ? 0 : 0.9 - 0.8 * reachOf(arm)))), DRAWS).patternReach;
    expect(found).toMatchObject({ contextTokens: 128, isTrainedLength: true, ofHeads: false, n: 9, reference: 'none at 128' });
    expect(found?.points.filter(({ isReference }) => isReference).map(({ arm, divergence }) => [arm.methodLabel, divergence])).toEqual([['none', 0]]);
    expect(found?.rankCorrelation).toBeLessThan(-0.7);
    expect(found).not.toHaveProperty('p');
  });

  it('has none where none was planted', async () => {
    const sweeps = await Promise.all(Array.from({ length: 20 }, (_, draw) => {
      const random = randomStream('patterns', draw);
      return gathered(withPatterns((_arm, index) => (index === 0 ? 0 : random.fraction())));
    }));
    const correlations = sweeps.map((rows) => findings(rows, DRAWS).patternReach[0]?.rankCorrelation ?? 0);
    expect(Math.abs(correlations.reduce((sum, value) => sum + value, 0) / correlations.length)).toBeLessThan(0.25);
    expect(correlations.filter((value) => value < -0.7).length).toBeLessThan(3);
  });

  it('is told of few arms without a correlation, and of none where no arm has both tasks', async () => {
    const rows = withPatterns((_arm, index) => index / 10);
    const four = new Set<string>(rows.arms.slice(0, 5).map(({ id: arm }) => arm));
    expect(findings(await gathered({ ...rows, cells: rows.cells.filter(({ taskKind, armId }) => taskKind === 'needle' || four.has(armId)) }), DRAWS).patternReach[0]).toMatchObject({ n: 4, rankCorrelation: null });
    expect(findings(await gathered({ ...rows, cells: rows.cells.filter(({ taskKind }) => taskKind === 'attention') }), DRAWS).patternReach).toEqual([]);
  });
});

/** ntk continued at 256 and at 1024, once a training seed; the longer one's entropy differs by `effect` nats. */
function pretrained({ effect, seeds, tokens = [1000, 1000], evaluationSeeds = 10 }: { effect: number; seeds: readonly (number | null)[]; tokens?: readonly (number | null)[]; evaluationSeeds?: number }): SweepRows {
  const random = randomStream('pretrained', 1);
  const lengths = [256, 1024];
  const rows = sweepRows({
    arms: seeds.flatMap(() => lengths.map((continued) => ({ method: NTK, continued, passesUpTo: continued }))),
    contexts: [128, 256, 512, 1024],
    depths: [0, 1],
    seeds: Array.from({ length: evaluationSeeds }, (_, seed) => seed),
  });
  const arms = rows.arms.map((arm, index) => ({ ...arm, model: `run ${Math.floor(index / 2)}`, training: { seed: seeds[Math.floor(index / 2)] ?? null, tokens: tokens[index % 2] ?? null } }));
  const bases = arms.filter((_, index) => index % 2 === 0).map((arm, index) => ({ ...arm, id: id<ArmRow['id']>(digest(['base', index])), weightsId: id<WeightsId>(digest('base')), continualPretrainContextTokens: null, training: null }));
  const ofBase = (cell: NeedleCellRow): NeedleCellRow[] => {
    const at = arms.findIndex(({ id: arm }) => arm === cell.armId);
    const base = bases[at / 2];
    return base === undefined ? [] : [{ ...cell, armId: base.id }];
  };
  const needles = rows.cells.filter((cell) => cell.taskKind === 'needle').map((cell) => {
    const longer = arms.findIndex(({ id: arm }) => arm === cell.armId) % 2 === 1;
    const entropy = 3 + 0.1 * random.fraction() + (longer ? effect : 0);
    return { ...cell, needle: cell.needle === null ? null : { ...cell.needle, entropy, entropyFirst: entropy } };
  });
  return { ...rows, arms: [...arms, ...bases], cells: [...needles, ...needles.flatMap(ofBase)] };
}

describe('continual-pretrain length against entropy and reach', () => {
  it('finds a planted difference at equal tokens, labelled evaluation noise where there is one training run', async () => {
    const [found, ...more] = findings(await gathered(pretrained({ effect: -0.5, seeds: [1] })), DRAWS).pretrainLength;
    expect(more).toEqual([]);
    expect(found).toMatchObject({ methodLabel: 'ntk 8', shorterTokens: 256, longerTokens: 1024, tokens: 'equal', spread: 'evaluationOnly', seeds: 10, source: 'entropy' });
    expect(found?.overall?.difference).toBeCloseTo(-0.5, 1);
    expect(found?.overall?.interval?.high).toBeLessThan(-0.4);
    expect(found?.byLength.map(({ contextTokens }) => contextTokens)).toEqual([128, 256, 512, 1024]);
    expect([found?.shorter[0]?.reach?.contextTokens, found?.longer[0]?.reach?.contextTokens]).toEqual([256, 1024]);
  });

  it('finds none where none was planted', async () => {
    const interval = findings(await gathered(pretrained({ effect: 0, seeds: [1] })), DRAWS).pretrainLength[0]?.overall?.interval;
    expect(interval?.low).toBeLessThan(0.005);
    expect(interval?.high).toBeGreaterThan(-0.005);
  });

  it('spans training seeds where there are several runs from one base', async () => {
    const found = findings(await gathered(pretrained({ effect: -0.5, seeds: [1, 2, 3] })), DRAWS).pretrainLength;
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ spread: 'trainingSeeds', seeds: 3 });
    expect([found[0]?.shorter.length, found[0]?.longer.length]).toEqual([3, 3]);
    expect(found[0]?.overall?.interval?.low).toBeLessThanOrEqual(found[0]?.overall?.difference ?? NaN);
    expect(found[0]?.overall?.interval?.high).toBeGreaterThanOrEqual(found[0]?.overall?.difference ?? NaN);
  });

  it('compares run by run where checkpoints do not say their training seed', async () => {
    const found = findings(await gathered(pretrained({ effect: -0.5, seeds: [null, null] })), DRAWS).pretrainLength;
    expect(found.map(({ spread, shorter }) => [spread, shorter.length])).toEqual([['evaluationOnly', 1], ['evaluationOnly', 1]]);
  });

  it('says whether tokens were equal, unequal or not told', async () => {
    const tokens = async (told: readonly (number | null)[]) => findings(await gathered(pretrained({ effect: 0, seeds: [1], tokens: told })), DRAWS).pretrainLength[0]?.tokens;
    expect([await tokens([1000, 1049]), await tokens([1000, 2000]), await tokens([1000, null])]).toEqual(['equal', 'unequal', 'unknown']);
  });

  it('has no interval of fewer than five evaluation seeds', async () => {
    expect(findings(await gathered(pretrained({ effect: 0, seeds: [1], evaluationSeeds: 4 })), DRAWS).pretrainLength[0]?.overall).toMatchObject({ interval: null });
  });
});

describe('caveats', () => {
  const named = async (rows: SweepRows) => findings(await gathered(rows), DRAWS).caveats.map(({ caveat }) => caveat);
  const quiet = oneArm({ contexts: [128], seeds: Array.from({ length: 10 }, (_, seed) => seed), change: (cell) => ({ ...cell, needle: needleNumbers({}) }) });
  const plain = { ...quiet, arms: quiet.arms.map((arm) => ({ ...arm, logitScale: 1 })) };

  it('are none where none applies, and none of an empty sweep', async () => {
    expect(await named(plain)).toEqual([]);
    expect(await named(noCells())).toEqual([]);
  });

  it.each<[string, SweepRows]>([
    ['fewSeeds', { ...plain, cells: plain.cells.filter((cell) => cell.taskKind === 'needle' && cell.seed < 9) }],
    ['entropyBound', { ...plain, cells: plain.cells.map((cell, at) => ({ ...cell, contextTokens: at === 0 ? 64 : 128 })) }],
    ['temperature', quiet],
    ['teacherForced', { ...plain, cells: plain.cells.map((cell, at) => (at === 0 ? { ...cell, needle: needleNumbers({ exactMatch: false, entropy: null }) } : cell)) }],
    ['quantised', { ...plain, arms: plain.arms.map((arm) => ({ ...arm, weightFormat: 'q4_1' })) }],
    ['mixedFingerprints', { ...plain, cells: plain.cells.map((cell, at) => ({ ...cell, measured: cell.measured === null ? null : { ...cell.measured, fingerprint: at === 0 ? 'one' : 'other' } })) }],
    ['refined', { ...plain, cells: plain.cells.map((cell, at) => ({ ...cell, origin: at === 0 ? 'refine' : 'grid' })) }],
    ['missing', { ...plain, cells: plain.cells.map((cell, at) => (at === 0 ? { ...cell, state: 'planned' as const, needle: null } : cell)) }],
  ])('has %s alone where that is all', async (caveat, rows) => expect(await named(rows)).toEqual([caveat]));
});

it('the findings of nothing are nothing', async () => {
  for (const rows of [noCells(), nothingMeasured()]) expect(findings(await gathered(rows), DRAWS)).toMatchObject({ patternReach: [], entropyFailure: [], pretrainLength: [] });
});
