/** Two files run at a time: the long ones begin first, so that none of them is left to run by itself at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Below tests/, those of half a minute and more, the longest first: in a fresh clone Vitest knows of no file how long it takes. */
const LONGEST = [
  'endToEnd/cluster',
  'endToEnd/again',
  'endToEnd/steering',
  'endToEnd/refine',
  'chaos/zombies',
  'orchestration/sweep',
  'chaos/chaos',
  'endToEnd/badInput',
  'endToEnd/watch',
  'chaos/fullDisk',
  'endToEnd/open',
  'endToEnd/openPages',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/tests/${name}.test.ts`));
      return place < 0 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
