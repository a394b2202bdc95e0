/**
 * RopesweepError -> ApplicationFailure: the failure's type is the error's code, so that workflows decide by class
 * and a person reads the same words in the Temporal UI as in the terminal.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { messageOf, RopesweepError } from '../domain/errors.js';

export function toFailure(error: unknown): unknown {
  if (!(error instanceof RopesweepError)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !error.retryable,
    cause: error,
  });
}

/** So often an error that ropesweep does not know is tried again: some pass (a deadlock), a defect would go round for ever. */
const UNKNOWN_ATTEMPTS = 8;

/** For the short activities that Temporal retries: while the store is lost for ever, after an unknown error for a while. */
export async function asFailure<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RopesweepError || Context.current().info.attempt < UNKNOWN_ATTEMPTS) throw toFailure(error);
    throw ApplicationFailure.create({ type: 'INTERNAL', message: messageOf(error), nonRetryable: true });
  }
}
