/**
 * RopesweepError -> ApplicationFailure: the failure's type is the error's code, so that workflows decide by class
 * and a person reads the same words in the Temporal UI as in the terminal.
 */
import { ApplicationFailure } from '@temporalio/activity';
import { RopesweepError } from '../domain/errors.js';

export function toFailure(error: unknown): unknown {
  if (!(error instanceof RopesweepError)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !error.retryable,
    cause: error,
  });
}

export async function asFailure<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error);
  }
}
