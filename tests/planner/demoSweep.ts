import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import type { SweepSpec } from '../../domain/spec.js';
import { sha256OfFile } from '../../model/weightsId.js';
import { parseSpec, readSpec } from '../../planner/parse.js';
import type { ResolvedSweep } from '../../planner/resolved.js';
import { resolveSweep } from '../../planner/resolve.js';

export const DEMO = 'sweeps/demo.yaml';
/** Nothing was fetched. */
export const MODELS = 'models/none';

interface Resolved {
  readonly spec: SweepSpec;
  readonly resolved: ResolvedSweep;
}

const resolve = async (spec: SweepSpec): Promise<Resolved> => ({ spec, resolved: await resolveSweep(spec, { file: DEMO, fileSha256: sha256OfFile, modelsFolder: MODELS }) });

/** The demo as it ships. */
export const wholeDemo = async (): Promise<Resolved> => resolve(await readSpec(DEMO));

/** The text of the demo with its needle task alone. */
export async function needleDemo(): Promise<string> {
  const document = parseDocument(await readFile(DEMO, 'utf8'));
  document.deleteIn(['tasks', 1]);
  return String(document);
}

/** The needle task of the demo, with changes, as the command would resolve it. */
export const demoSweep = async (...set: string[]): Promise<Resolved> => resolve(parseSpec(await needleDemo(), { file: DEMO, set }));
