import type { MarkovHaystack, ResolvedNeedleTask } from '../../domain/task.js';
import { needleTaskSchema } from '../../domain/taskSpec.js';
import { haystackDigest, resolveHaystack } from '../../prompts/haystack.js';
import { needleDigest } from '../../prompts/needle.js';
import { templateDigest } from '../../prompts/template.js';

export type StarterTask = ResolvedNeedleTask & { readonly haystack: MarkovHaystack };

/** The needle task of the starter models, from files of the repository. */
export async function starterTask(): Promise<StarterTask> {
  const spec = needleTaskSchema.parse({
    kind: 'needle',
    depths: [0],
    haystack: { kind: 'markov', file: 'models/starter/filler.json' },
    needle: { kind: 'symbols' },
  });
  const haystack = await resolveHaystack(spec.haystack, (file) => Promise.resolve(file));
  if (haystack.kind !== 'markov') throw new Error('the starter haystack is a Markov chain');
  return {
    kind: 'needle',
    haystack,
    haystackDigest: haystackDigest(haystack),
    needle: spec.needle,
    needleDigest: needleDigest(spec.needle),
    template: spec.template,
    templateDigest: templateDigest(spec.template),
    tokenizerDigest: 'none',
    snap: spec.snap,
    criterion: spec.criterion,
    generateTokens: spec.generateTokens,
    localTokens: spec.localTokens,
    probes: spec.probes,
  };
}
