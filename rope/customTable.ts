/**
 * The JSON file of a custom table: `{"inverseFrequencies": [...], "attentionFactor": a}` (what `ropesweep rope --json`
 * prints fits too), or the bare list of inverse frequencies.
 */
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { MethodOf } from './definition.js';

type Custom = MethodOf<'custom'>;

const tableSchema = z.object({ inverseFrequencies: z.array(z.number().positive()).min(1), attentionFactor: z.number().positive() });
/** A bare list says nothing of the attention factor. */
const listSchema = tableSchema.partial({ attentionFactor: true });

/**
 * The method with the numbers of its file in place of the file. Reads nothing itself.
 * @param text contents of `method.file`
 * @throws RopesweepError METHOD_INVALID, naming the file
 */
export function withCustomTable({ file = 'custom', label, inverseFrequencies, attentionFactor }: Custom, text: string): Custom {
  const refuse = (what: string, mend: string): RopesweepError => new RopesweepError('METHOD_INVALID', { where: file, what, mend });
  if (inverseFrequencies !== undefined) throw refuse('inverseFrequencies are given beside the file', 'Give one of the two.');
  const table = parseTable(text, refuse);
  const own = table.attentionFactor;
  if (own !== undefined && attentionFactor !== undefined && attentionFactor !== own) {
    throw refuse(`it has attention factor ${own}, and ${attentionFactor} is given beside it`, 'Leave the attention factor to the file.');
  }
  return { name: 'custom', label: label ?? fileLabel(file), inverseFrequencies: table.inverseFrequencies, attentionFactor: own ?? attentionFactor ?? 1 };
}

/** `tables/my-search.json` -> `my-search` */
export const fileLabel = (file: string): string => path.parse(file).name.slice(0, 40) || file;

function parseTable(text: string, refuse: (what: string, mend: string) => RopesweepError): z.infer<typeof listSchema> {
  const mend = 'Write {"inverseFrequencies": [1, ...], "attentionFactor": 1}, or the bare list of frequencies.';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refuse(`it is not JSON: ${messageOf(cause)}`, mend);
  }
  const parsed = Array.isArray(json) ? listSchema.safeParse({ inverseFrequencies: json }) : tableSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw refuse(parsed.error.issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'the whole file'}: ${issue.message}`).join('; '), mend);
}
