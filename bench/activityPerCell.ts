/** The plain way to run cells on Temporal, for comparison: a workflow that runs one activity a cell, so many at once. */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';

export const PLAIN_QUEUE = 'bench-plain';
/** More at once, up to 400, was no faster. */
export const IN_FLIGHT = 200;
/** About where Temporal itself suggests a new run: longer histories only make each step dearer. */
const ACTIVITIES_A_RUN = 1_000;

export async function activityPerCell(cells: number): Promise<void> {
  const { noOp } = proxyActivities<{ noOp: () => Promise<void> }>({ startToCloseTimeout: '1 minute' });
  let left = Math.min(cells, ACTIVITIES_A_RUN);
  const serve = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await noOp();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, serve));
  if (cells > ACTIVITIES_A_RUN) await continueAsNew<typeof activityPerCell>(cells - ACTIVITIES_A_RUN);
}
