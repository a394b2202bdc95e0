/**
 * Finds and opens the checkpoints of a sweep: the base, and one for each method and continual-pretrain length.
 */
import { stat } from 'node:fs/promises';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { SweepSpec } from '../domain/spec.js';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint.js';
import { methodLabel } from '../rope/method.js';
import { armLabel, tableAtLength } from './arms.js';
import { continuedFolder } from './continued.js';
import type { Findings } from './findings.js';
import type { SpecPaths } from './paths.js';
import type { Places } from './places.js';
import type { MissingArm } from './resolved.js';

/** A combination whose checkpoint was opened. */
export interface FoundArm {
  readonly method: Method;
  readonly continualPretrainContextTokens: number | null;
  readonly checkpoint: Checkpoint;
  /** Where the spec names the checkpoint. */
  readonly place: string;
}

export interface FoundArms {
  readonly found: readonly FoundArm[];
  readonly missing: readonly MissingArm[];
}

interface Search {
  readonly spec: SweepSpec;
  readonly at: Places;
  readonly paths: SpecPaths;
  readonly findings: Findings;
}

/** The base checkpoint; undefined, with the reason in the findings, if it cannot be used. */
export async function openBase({ spec, at, paths, findings }: Search): Promise<Checkpoint | undefined> {
  const place = at(['model', 'base']);
  const base = await findings.collect(place, async () => {
    const folder = await paths.resolve(spec.model.base);
    if (await isFolder(folder)) return openCheckpoint(folder);
    findings.add('CHECKPOINT_MISSING', {
      where: place,
      what: `there is no folder ${folder}`,
      mend: 'Correct the path (relative to the sweep file), or fetch the checkpoint.',
    });
    return undefined;
  });
  if (base !== undefined && base.ropeSettings.name !== 'none') {
    findings.add('MODEL_UNSUPPORTED', {
      where: place,
      what: `config.json already extends the context by ${methodLabel(base.ropeSettings)}, which a method of the sweep would replace unseen`,
      mend: 'Name the model as it was before the extension, or a copy of the folder whose config.json has no rope scaling.',
    });
  }
  return base;
}

/** Every method at every continual-pretrain length, in the order of the spec. */
export async function findArms(
  search: Search,
  base: Checkpoint,
  geometry: RopeGeometry,
  methods: readonly Method[],
): Promise<FoundArms> {
  const { spec, at, paths, findings } = search;
  const found: FoundArm[] = [];
  const missing: MissingArm[] = [];
  /** Folder as written -> the arm that has it. */
  const taken = new Map<string, string>();
  for (const method of methods) {
    for (const length of spec.continualPretrainContextTokens) {
      if (length === null) {
        found.push({ method, continualPretrainContextTokens: null, checkpoint: base, place: at(['model', 'base']) });
        continue;
      }
      const exclude = (reason: string) => missing.push({ method: methodLabel(method), continualPretrainContextTokens: length, reason });
      const named = continuedFolder(spec.model.continued, method, length);
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
      const opened = await findings.collect(place, async () => {
        const folder = await paths.resolve(named.written);
        return (await isFolder(folder)) ? openCheckpoint(folder) : null;
      });
      if (opened === null) exclude(`there is no folder ${named.written}`);
      else if (opened !== undefined) {
        checkContinued(findings, place, opened, base, geometry, method, spec);
        found.push({ method, continualPretrainContextTokens: length, checkpoint: opened, place });
      }
    }
  }
  return { found, missing };
}

/** A continued checkpoint has the base's architecture, and RoPE settings that are the base's or the very method's. */
function checkContinued(
  findings: Findings,
  place: string,
  checkpoint: Checkpoint,
  base: Checkpoint,
  geometry: RopeGeometry,
  method: Method,
  spec: SweepSpec,
): void {
  const differing = (Object.keys(base.config) as (keyof typeof base.config)[]).filter((field) => base.config[field] !== checkpoint.config[field]);
  if (differing.length > 0) {
    findings.add('CHECKPOINT_INVALID', {
      where: place,
      what: `${checkpoint.folder} is not a continuation of the base: ${differing
        .map((field) => `${field} ${checkpoint.config[field]} against ${base.config[field]}`)
        .join(', ')}`,
      mend: 'Name a checkpoint that was continued from this base.',
    });
    return;
  }
  const length = Math.max(...spec.contextTokens);
  const own = tableAtLength(checkpoint.ropeSettings, checkpoint.geometry, length).digest;
  const accepted = [tableAtLength(method, geometry, length), tableAtLength({ name: 'none' }, geometry, length)];
  if (!accepted.some((table) => table.digest === own)) {
    findings.add('CHECKPOINT_INVALID', {
      where: place,
      what: `config.json in ${checkpoint.folder} says ${methodLabel(checkpoint.ropeSettings)} with base ${checkpoint.geometry.base}, which is neither the base's plain RoPE nor ${methodLabel(method)}`,
      mend: 'Make the method in the sweep file the one the checkpoint was continued with.',
    });
  }
}

const isFolder = (folder: string): Promise<boolean> => stat(folder).then((entry) => entry.isDirectory(), () => false);
