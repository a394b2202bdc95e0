/**
 * Finds and opens the checkpoints of a sweep: the base, and one for each method and continual-pretrain length.
 */
import { stat } from 'node:fs/promises';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { ModelSpec } from '../domain/spec.js';
import { RopesweepError } from '../domain/errors.js';
import type { CheckpointTraining, MissingCheckpoint } from '../domain/plan.js';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint.js';
import { readConfig, type ConfigFile } from '../model/config.js';
import { isGgufPath } from '../model/gguf.js';
import { resolveModelName } from '../model/registry.js';
import { readTraining } from '../model/training.js';
import { methodLabel } from '../rope/method.js';
import { armLabel, tableAtLength } from './arms.js';
import { continuedFolder } from './continued.js';
import type { Findings } from './findings.js';
import type { SpecPaths } from './paths.js';
import type { Places } from './places.js';
import type { SurveyedArm } from './survey.js';

/** What a plan needs of a checkpoint; `files` is null where it is planned from a config.json alone. */
export interface FoundCheckpoint extends ConfigFile {
  readonly folder: string;
  readonly weightFormat: string;
  readonly files: Checkpoint | null;
  readonly training: CheckpointTraining | null;
}

/** A combination whose checkpoint was found. */
export interface FoundArm extends SurveyedArm {
  readonly checkpoint: FoundCheckpoint;
  /** Where the spec names the checkpoint. */
  readonly place: string;
}

export interface FoundArms {
  readonly found: readonly FoundArm[];
  readonly missing: readonly MissingCheckpoint[];
}

export interface ModelSearch {
  readonly model: ModelSpec;
  /** Of places within the model. */
  readonly at: Places;
  readonly paths: SpecPaths;
  readonly findings: Findings;
  /** Where models that registry:NAME stands for were fetched to. */
  readonly modelsFolder: string;
}

/** The base checkpoint; undefined, with the reason in the findings, if it cannot be used. */
export async function openBase({ model, at, paths, findings, modelsFolder }: ModelSearch): Promise<FoundCheckpoint | undefined> {
  const { base, config } = model;
  return findings.collect(at(['base']), async () => {
    // A fetched model lies where ropesweep put it; every other path is the spec's.
    const named = resolveModelName(base, modelsFolder);
    const place = named === base ? await paths.resolve(base) : named;
    if (await isCheckpoint(place)) return opened(await openCheckpoint(place));
    if (config !== undefined) return { ...(await readConfig(await paths.resolve(config))), folder: place, weightFormat: UNKNOWN_FORMAT, files: null, training: null };
    throw new RopesweepError('CHECKPOINT_MISSING', {
      where: base,
      what: `there is no folder or .gguf file ${place}`,
      mend: 'Correct the path (relative to the sweep file), fetch the checkpoint, or name a config.json to plan from (model.config).',
    });
  });
}

/** Weights that are not here. */
const UNKNOWN_FORMAT = 'unknown';

const opened = async (checkpoint: Checkpoint): Promise<FoundCheckpoint> => ({ ...checkpoint, files: checkpoint, training: await readTraining(checkpoint.folder) });

/** The checkpoints of combinations, in their order. */
export async function findArms(search: ModelSearch, base: FoundCheckpoint, geometry: RopeGeometry, wanted: readonly SurveyedArm[], longestTokens: number): Promise<FoundArms> {
  const { model, at, paths, findings } = search;
  const found: FoundArm[] = [];
  const missing: MissingCheckpoint[] = [];
  /** Folder as written -> the arm that has it. */
  const taken = new Map<string, string>();
  for (const arm of wanted) {
    const { method, cells } = arm;
    const length = arm.point.continualPretrainContextTokens;
    if (length === null) {
      found.push({ ...arm, checkpoint: base, place: at(['base']) });
      continue;
    }
    const exclude = (reason: string) => missing.push({ model: model.name, method: methodLabel(method), continualPretrainContextTokens: length, cells, reason });
    const named = continuedFolder(model.continued, method, length);
    if ('reason' in named) {
      exclude(named.reason);
      continue;
    }
    const place = at(named.at);
    const label = armLabel(method, length);
    const other = taken.get(named.written);
    if (other !== undefined) {
      findings.add('SPEC_INVALID', {
        where: place,
        what: `"${other}" and "${label}" would both use ${named.written}`,
        mend: 'Tell the folders apart: {method}, {length} and {factor} in the pattern, or a list whose methods are labels ("ntk 4").',
      });
      continue;
    }
    taken.set(named.written, label);
    const checkpoint = await findings.collect(place, async () => {
      const folder = await paths.resolve(named.written);
      if (await isCheckpoint(folder)) return opened(await openCheckpoint(folder));
      // Where the base is not here, neither is what was made of it.
      return base.files === null ? { ...base, folder } : null;
    });
    if (checkpoint === null) exclude(`there is no folder ${named.written}`);
    else if (checkpoint !== undefined) {
      if (checkpoint.files !== null) checkContinued(findings, place, checkpoint, base, geometry, method, longestTokens);
      found.push({ ...arm, checkpoint, place });
    }
  }
  return { found, missing };
}

/** A continued checkpoint has the base's architecture, and RoPE settings that are the base's or the very method's. */
function checkContinued(
  findings: Findings,
  place: string,
  checkpoint: FoundCheckpoint,
  base: FoundCheckpoint,
  geometry: RopeGeometry,
  method: Method,
  longestTokens: number,
): void {
  const differing = (Object.keys(base.config) as (keyof typeof base.config)[]).filter((field) => JSON.stringify(base.config[field]) !== JSON.stringify(checkpoint.config[field]));
  if (differing.length > 0) {
    findings.add('CHECKPOINT_INVALID', {
      where: place,
      what: `${checkpoint.folder} is not a continuation of the base: ${differing
        .map((field) => `${field} ${JSON.stringify(checkpoint.config[field])} against ${JSON.stringify(base.config[field])}`)
        .join(', ')}`,
      mend: 'Name a checkpoint that was continued from this base.',
    });
    return;
  }
  const own = tableAtLength(checkpoint.ropeSettings, checkpoint.geometry, longestTokens).digest;
  const accepted = [tableAtLength(method, geometry, longestTokens), tableAtLength({ name: 'none' }, geometry, longestTokens)];
  if (!accepted.some((table) => table.digest === own)) {
    findings.add('CHECKPOINT_INVALID', {
      where: place,
      what: `config.json in ${checkpoint.folder} says ${methodLabel(checkpoint.ropeSettings)} with base ${checkpoint.geometry.base}, which is neither the base's plain RoPE nor ${methodLabel(method)}`,
      mend: 'Make the method in the sweep file the one the checkpoint was continued with.',
    });
  }
}

/** A folder, or a .gguf file; what is in it is openCheckpoint's to judge. */
const isCheckpoint = (place: string): Promise<boolean> =>
  stat(place).then((entry) => entry.isDirectory() || (entry.isFile() && isGgufPath(place)), () => false);
