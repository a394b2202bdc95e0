import { readFile } from 'node:fs/promises';
import { needleTaskSchema } from '../../domain/spec.js';
import type { ResolvedNeedleTask } from '../../domain/task.js';
import { haystackDigest, resolveHaystack } from '../../prompts/haystack.js';
import { needleDigest } from '../../prompts/needle.js';
import { templateDigest } from '../../prompts/template.js';

/** The needle task of the starter models, from files of the repository. */
export async function starterTask(): Promise<ResolvedNeedleTask> {
  const spec = needleTaskSchema.parse({
    kind: 'needle',
    depths: [0],
    haystack: { kind: 'markov', file: 'models/starter/filler.json' },
    needle: { kind: 'symbols' },
  });
  const haystack = await resolveHaystack(spec.haystack, (file) => readFile(file, 'utf8'));
  return {
    kind: 'needle',
    haystack,
    haystackDigest: haystackDigest(haystack),
    needle: spec.needle,
    needleDigest: needleDigest(spec.needle),
    template: spec.template,
    templateDigest: templateDigest(spec.template),
    tokenizerDigest: 'none',
    probes: spec.probes,
  };
}
