import type { ResolvedNeedleTask } from '../../domain/task.js';
import { needleTaskSchema, type TaskSpecOf } from '../../domain/taskSpec.js';
import { haystackDigest, resolveHaystack } from '../../prompts/haystack.js';
import { needleDigest } from '../../prompts/needle.js';
import { templateDigest } from '../../prompts/template.js';
import type { z } from 'zod';

type Parts = Pick<z.input<typeof needleTaskSchema>, 'haystack' | 'needle' | 'template' | 'snap'>;

export const textSpec = (parts: Partial<Parts>): TaskSpecOf<'needle'> =>
  needleTaskSchema.parse({ kind: 'needle', depths: [0], haystack: { kind: 'noise' }, needle: { kind: 'single' }, template: { kind: 'base' }, ...parts });

/** A needle task of text; paths are taken as they are. */
export async function textTask(parts: Partial<Parts>): Promise<ResolvedNeedleTask> {
  const { kind, needle, template, snap, criterion, generateTokens, localTokens, probes, haystack: spec } = textSpec(parts);
  const haystack = await resolveHaystack(spec, (written) => Promise.resolve(written));
  return {
    ...{ kind, needle, template, snap, criterion, generateTokens, localTokens, probes, haystack },
    haystackDigest: haystackDigest(haystack),
    needleDigest: needleDigest(needle),
    templateDigest: templateDigest(template),
    tokenizerDigest: 'golden',
  };
}
