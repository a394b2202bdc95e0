import type { SweepSpec } from '../../domain/spec.js';
import { sha256OfFile } from '../../model/weightsId.js';
import { readSpec } from '../../planner/parse.js';
import type { ResolvedSweep } from '../../planner/resolved.js';
import { resolveSweep } from '../../planner/resolve.js';

export const DEMO = 'sweeps/demo.yaml';
/** Nothing was fetched. */
export const MODELS = 'models/none';

/** The demo with changes, as the command would resolve it. */
export async function demoSweep(...set: string[]): Promise<{ spec: SweepSpec; resolved: ResolvedSweep }> {
  const spec = await readSpec(DEMO, set);
  return { spec, resolved: await resolveSweep(spec, { file: DEMO, fileSha256: sha256OfFile, modelsFolder: MODELS }) };
}
