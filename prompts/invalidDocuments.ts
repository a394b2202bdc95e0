/** The error of documents that cannot be used, and how their columns are told. */
import { RopesweepError } from '../domain/errors.js';

export const invalidDocuments = (where: string, what: string, mend: string, cause?: unknown): RopesweepError =>
  new RopesweepError('DOCUMENTS_INVALID', { where, what, mend }, { cause });

export const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', '));
