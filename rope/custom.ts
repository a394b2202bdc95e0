/**
 * A table of one's own: inverse frequencies and attention factor as numbers, in the spec or in a JSON file.
 *
 *   inv_j = as given, attention factor as given (1 if absent)
 *
 * For methods that have no name here yet, and for comparisons with other code. A method that names a file is read by
 * {@link withCustomTable} before it is resolved; a resolved one holds numbers only, so that neither its identity nor a
 * worker needs the file.
 */
import { RopesweepError, type Problem } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';
import { fileLabel } from './customTable.js';
import type { MethodDefinition, MethodOf } from './definition.js';
import { perPairProblems } from './perPair.js';
import { shortDigest } from './shortDigest.js';

export const custom: MethodDefinition<'custom'> = {
  tableDependsOnLength: false,
  source: 'your own numbers',
  resolve: (method, geometry) => {
    const problems = customProblems(method, geometry);
    if (problems.length > 0) throw new RopesweepError('METHOD_INVALID', problems);
    const { label, inverseFrequencies, attentionFactor = 1 } = method;
    return { name: 'custom', ...(label !== undefined && { label }), inverseFrequencies, attentionFactor };
  },
  table: ({ inverseFrequencies = [], attentionFactor = 1 }) => ({ inverseFrequencies, attentionFactor }),
  label: ({ label, file, inverseFrequencies = [], attentionFactor = 1 }) =>
    `custom ${label ?? (file === undefined ? shortDigest([inverseFrequencies, [attentionFactor]]) : fileLabel(file))}`,
};

function customProblems({ file, inverseFrequencies }: MethodOf<'custom'>, geometry: RopeGeometry): Problem[] {
  if (inverseFrequencies !== undefined && file === undefined) return perPairProblems('custom.inverseFrequencies', inverseFrequencies, geometry);
  const one = (what: string, mend: string): Problem[] => [{ where: 'custom', what, mend }];
  if (file === undefined) return one('there are no inverse frequencies', 'Give inverseFrequencies, or a file that holds them (on the command line --table).');
  if (inverseFrequencies !== undefined) return one(`file ${file} and inverseFrequencies both name the table`, 'Give one of the two.');
  return one(`the table in ${file} has not been read`, 'Give inverseFrequencies in place of the file here.');
}
