/** What both entries, the command and the worker, do alike: parse whole numbers, print an error, choose the exit code. */
import { CommanderError } from 'commander';
import { EXIT, messageOf, RopesweepError } from '../domain/errors.js';

/** A parser of whole numbers from `least` up, for an option's value. */
export const wholeNumber = (flag: string, least = 1) => (text: string): number => {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RopesweepError('OPTION_INVALID', { where: flag, what: `${text} is not a whole number from ${least} up` });
  }
  return value;
};

/** Prints what a person can act on, a stack only for what ropesweep does not know; returns the exit code. */
export function exitCodeOf(error: unknown): number {
  // commander has printed its own message; --help and --version end this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badInput;
  if (error instanceof RopesweepError) {
    console.error(error.describe());
    return error.exitCode;
  }
  console.error(error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error));
  return EXIT.error;
}
