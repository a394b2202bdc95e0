/**
 * Collects everything that is wrong, so that the user mends a sweep file once and not once a message.
 */
import { RopesweepError, type ErrorCode, type Problem } from '../domain/errors.js';

export class Findings {
  private readonly found: { readonly code: ErrorCode; readonly problem: Problem }[] = [];

  /** What several models of a sweep bring up alike is said once. */
  add(code: ErrorCode, problem: Problem): void {
    if (this.found.some((other) => other.problem.where === problem.where && other.problem.what === problem.what)) return;
    this.found.push({ code, problem });
  }

  /** Runs one step; what it refuses is collected, with the place in the sweep file that led there. Else its result. */
  async collect<Result>(place: string, step: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof RopesweepError)) throw error;
      for (const problem of error.problems) this.add(error.code, { ...problem, where: `${place}: ${problem.where}` });
      return undefined;
    }
  }

  get none(): boolean {
    return this.found.length === 0;
  }

  /** @throws RopesweepError with every problem, under the code of the first. */
  refuse(): void {
    const [first] = this.found;
    if (first !== undefined) throw new RopesweepError(first.code, this.found.map(({ problem }) => problem));
  }
}
