/**
 * spec -> resolved sweep: opens every checkpoint and file the spec names, checks what can be checked before anything
 * starts, and reports all that is wrong at once. Weights are read only to be hashed, and only when nothing is wrong.
 */
import { readFile } from 'node:fs/promises';
import type { DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { RopesweepError, whyUnreadable } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import { id, type ArmId, type WeightsId } from '../domain/ids.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { MissingCheckpoint } from '../domain/plan.js';
import { modelsOf, type SweepSpec } from '../domain/spec.js';
import { weightsId } from '../model/weightsId.js';
import { withCustomTable } from '../rope/customTable.js';
import { methodLabel, resolveMethod } from '../rope/method.js';
import { replacedNotice } from '../rope/replaced.js';
import { armLabel, plannedArm } from './arms.js';
import { findArms, openBase, type FoundArm, type FoundArms, type FoundCheckpoint, type ModelSearch } from './checkpoints.js';
import { computeDtype, deviceClass, largerDeviceClass } from './device.js';
import { Findings } from './findings.js';
import { configuredRoots, specPaths, type SpecPaths } from './paths.js';
import { resolveTextName } from './knownTexts.js';
import { placesOf, type Places } from './places.js';
import { checkRefine, checkRefineSize } from './refineDesign.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import { Selection } from './selection.js';
import { armsOfGrid, cellsAtMost, checkParts, refuseVast, survey, type Survey, type SurveyedModel } from './survey.js';
import { checkDecoding, checkOverlappingTasks, checkReferences } from './tasks/checks.js';
import { gridTaskOf, type PlannedTask } from './tasks/registry.js';
import { resolveTasks } from './tasks/resolveTasks.js';

/** A file as it lay on disk when its digest was asked for. */
export interface FileState {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export interface ResolveOptions {
  /** The sweep file: its paths are relative to it. */
  readonly file: string;
  /** SHA-256 of a file; a caller that keeps digests by path, size and mtime hashes nothing twice. */
  readonly fileSha256: (file: FileState) => Promise<string>;
  /** Where models that registry:NAME stands for were fetched to. */
  readonly modelsFolder: string;
  /** Folders that the spec's paths must lie in; from ROPESWEEP_ROOTS if absent. */
  readonly roots?: readonly string[];
}

/**
 * @throws RopesweepError with every problem, under the code of the first: CHECKPOINT_MISSING, CHECKPOINT_INVALID,
 *   MODEL_UNSUPPORTED, METHOD_INVALID, PATH_OUTSIDE_ROOTS, PROMPT_IMPOSSIBLE, DOCUMENTS_INVALID, SPEC_INVALID
 */
export async function resolveSweep(spec: SweepSpec, options: ResolveOptions): Promise<ResolvedSweep> {
  const at = placesOf(spec);
  const findings = new Findings();
  const paths = withKnownTexts(specPaths(options.file, [...(options.roots ?? configuredRoots(options.file)), options.modelsFolder]), options.modelsFolder);
  const selection = new Selection(spec, at);
  const device = deviceClass(spec, at, findings);
  const larger = largerDeviceClass(spec, device, at, findings);

  const searches = modelsOf(spec).map(({ model, path }): ModelSearch => ({ model, at: (inner) => at([...path, ...inner]), paths, findings, modelsFolder: options.modelsFolder }));
  const models: OpenModel[] = [];
  for (const [position, search] of searches.entries()) {
    const opened = await openModel(spec, search, position, at);
    if (opened !== undefined) models.push(opened);
  }
  const dtype = device && commonDtype(spec, device, models, at, findings);
  checkParts(spec, models, at, findings);

  const gridTasks = spec.tasks.map((task, index) => gridTaskOf(task, index, spec));
  const grid = armsOfGrid(selection, models);
  const isVast = refuseVast(spec, selection, cellsAtMost(selection, grid, gridTasks), at, findings);
  const counted = survey(selection, isVast ? [] : grid, () => gridTasks, false);
  const arms: FoundArms[] = [];
  for (const { search, base, geometry, position } of models) {
    const longest = Math.max(1, ...spec.tasks.flatMap((_, task) => counted.contextTokens(position, task)));
    arms.push(await findArms(search, base, geometry, counted.arms.filter(({ point }) => point.modelPosition === position), longest));
  }
  const found = arms.flatMap((ofModel) => ofModel.found);
  const missing = arms.flatMap((ofModel) => ofModel.missing);
  // A grid beyond the limit is not laid out to be told what else is wrong with it.
  const tooLarge = isVast || (findings.none && !checkSize(spec, found, missing, counted, at, findings));
  const tasks: PlannedTask[] = [];
  for (const [position, search] of tooLarge ? [] : searches.entries()) {
    const opened = models.find((model) => model.position === position);
    // Without its base nothing is known of a model's cells: its tasks are checked as they are written.
    const contextTokensOf = (task: number) => (opened === undefined ? (gridTasks[task]?.contextTokens ?? []) : counted.contextTokens(position, task));
    tasks.push(...(await resolveTasks({ spec, model: search.model, position, at, atModel: search.at, paths, findings, contextTokensOf }, opened?.base)));
  }
  if (device !== undefined) checkOverlappingTasks(tasks, found, selection, device, at, findings);
  for (const [index, task] of spec.tasks.entries()) {
    if (task.kind === 'needle') checkRefine(spec, task, index, selection.isIrregular, at, findings);
    if (task.kind === 'needle' && device !== undefined) checkDecoding(task, index, device, at, findings);
    if (task.kind !== 'attention') continue;
    for (const { position } of models) {
      const ofModel = found.filter(({ point }) => point.modelPosition === position);
      if (ofModel.length > 0) checkReferences(task, index, ofModel, counted.contextTokens(position, index), at, findings);
    }
  }
  findings.refuse();
  if (device === undefined || dtype === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: 'a sweep without a device passed the checks' });
  // Only now is it known which documents there are.
  const settled = selection.readsDocuments ? survey(selection, grid, (position) => tasks.flatMap(({ model, grid: task }) => (model === position ? [task] : [])), true) : counted;
  const left = new Set(settled.arms.map(({ point }) => point));
  const resolved = await nameArms(spec, models, found.filter(({ point }) => left.has(point)), settled, options, findings);
  findings.refuse();
  return { arms: resolved, tasks, missing, selection, leftOut: settled.leftOut, notices: settled.notices, device, larger, dtype };
}

/** A model whose base was found. */
interface OpenModel extends SurveyedModel {
  readonly search: ModelSearch;
  readonly base: FoundCheckpoint;
  readonly geometry: RopeGeometry;
}

async function openModel(spec: SweepSpec, search: ModelSearch, position: number, at: Places): Promise<OpenModel | undefined> {
  const { model, paths, findings } = search;
  const base = await openBase(search);
  if (base === undefined) return undefined;
  const geometry = { ...base.geometry, originalContextTokens: model.originalContextTokens ?? base.geometry.originalContextTokens };
  const methods = await resolveMethods(spec, geometry, paths, at, findings);
  return { name: model.name, position, search, base, geometry, methods, originalContextTokens: geometry.originalContextTokens };
}

/** All models of a sweep are computed in one dtype. */
function commonDtype(spec: SweepSpec, device: DeviceClass, models: readonly OpenModel[], at: Places, findings: Findings): ComputeDtype | undefined {
  const dtypes = models.map(({ base }) => computeDtype(spec, device, base.weightFormat, at, findings));
  const [first] = dtypes;
  if (dtypes.some((dtype) => dtype !== undefined && dtype !== first)) {
    findings.add('SPEC_INVALID', {
      where: at(['dtype']),
      what: `the models would be computed in different dtypes: ${models.map(({ name }, index) => `${name} in ${dtypes[index]}`).join(', ')}`,
      mend: 'Say which one all are computed in: dtype: f16.',
    });
  }
  return first;
}

/** Paths of a spec, where the name of a known text leads to its folder. */
const withKnownTexts = (paths: SpecPaths, modelsFolder: string): SpecPaths => ({
  resolve: (written) => paths.resolve(resolveTextName(written, modelsFolder) ?? written),
});

/** Methods in their one spelling; two that mean the same are refused. */
async function resolveMethods(spec: SweepSpec, geometry: RopeGeometry, paths: SpecPaths, at: Places, findings: Findings): Promise<Method[]> {
  const methods: Method[] = [];
  const seen = new Map<string, number>();
  for (const [index, written] of spec.methods.entries()) {
    const place = at(['methods', index]);
    const method = await findings.collect(place, async () => resolveMethod(await withTable(written, paths), geometry));
    if (method === undefined) continue;
    const identity = digest(method);
    const label = methodLabel(method);
    const same = seen.get(identity);
    const isNamesake = methods.some((other) => methodLabel(other) === label);
    if (same !== undefined) {
      findings.add('METHOD_INVALID', { where: place, what: `it is the same method as methods[${same}] (${label})`, mend: 'Leave one of them out.' });
    } else if (isNamesake) {
      findings.add('METHOD_INVALID', { where: place, what: `another method of the sweep is called ${label} too`, mend: 'Give custom tables labels of their own (label).' });
    } else {
      seen.set(identity, index);
      methods.push(method);
    }
  }
  return methods;
}

/** A custom method with the numbers of the file that it names. */
async function withTable(method: Method, paths: SpecPaths): Promise<Method> {
  if (method.name !== 'custom' || method.file === undefined) return method;
  const file = await paths.resolve(method.file);
  try {
    return withCustomTable(method, await readFile(file, 'utf8'));
  } catch (cause) {
    if (cause instanceof RopesweepError) throw cause;
    throw new RopesweepError('METHOD_INVALID', { where: method.file, what: `${whyUnreadable(cause)}: ${file}`, mend: 'Correct the path (relative to the sweep file).' }, { cause });
  }
}

/** @returns whether there are cells, and no more than the limit */
function checkSize(spec: SweepSpec, found: readonly FoundArm[], missing: readonly MissingCheckpoint[], { leftOut }: Survey, at: Places, findings: Findings): boolean {
  if (found.length === 0 && missing.length === 0) {
    findings.add('SPEC_INVALID', {
      where: at([leftOut[0]?.rule.replace(/\W.*/, '') ?? 'tasks']),
      what: `no cell is left: ${leftOut.map(({ rule, cells, reason }) => `${rule} (${reason}) leaves out ${cells}`).join('; ')}`,
      mend: 'Loosen one of them.',
    });
  } else if (found.length === 0) {
    findings.add('CHECKPOINT_MISSING', {
      where: at(['continualPretrainContextTokens']),
      what: `no combination of method and length has a checkpoint: ${missing.map(missingText).join('; ')}`,
      mend: 'Correct model.continued, or add null for the base as it is.',
    });
  }
  const cells = found.reduce((sum, arm) => sum + arm.cells, 0);
  checkRefineSize(spec, cells, found.length, at, findings);
  if (cells > spec.cellLimit) {
    findings.add('SPEC_INVALID', {
      where: at(['cellLimit']),
      what: `the sweep has ${cells} cells, the limit is ${spec.cellLimit}`,
      mend: `Shorten an axis, or raise cellLimit (--set cellLimit=${cells}).`,
    });
  }
  return findings.none;
}

const missingText = ({ method, continualPretrainContextTokens, reason }: MissingCheckpoint): string =>
  `${method} at ${continualPretrainContextTokens ?? 'no length'}: ${reason}`;

/** Hashes each checkpoint once and gives the arms their identity. */
async function nameArms(spec: SweepSpec, models: readonly OpenModel[], found: readonly FoundArm[], { contextTokens }: Survey, { fileSha256 }: ResolveOptions, findings: Findings): Promise<ResolvedArm[]> {
  const idOfFolder = new Map<string, WeightsId>();
  const arms: ResolvedArm[] = [];
  const taken = new Set<ArmId>();
  for (const { name, position, base, geometry } of models) {
    /** What the sweep takes each checkpoint of the model for. */
    const roles = new Map<WeightsId, string>();
    const lengths = [...new Set(spec.tasks.flatMap((_, task) => contextTokens(position, task)))].sort((a, b) => a - b);
    for (const { point, method, checkpoint, place } of found.filter((arm) => arm.point.modelPosition === position)) {
      const { folder, config, files, weightFormat, training } = checkpoint;
      const { continualPretrainContextTokens } = point;
      const role = continualPretrainContextTokens === null ? 'the base' : `"${armLabel(method, continualPretrainContextTokens)}"`;
      const weights = idOfFolder.get(folder) ?? (await (files === null ? provisionalId(role, checkpoint) : weightsId(files, fileSha256)));
      idOfFolder.set(folder, weights);
      const other = roles.get(weights) ?? role;
      roles.set(weights, other);
      if (other !== role) {
        findings.add('CHECKPOINT_INVALID', {
          where: place,
          what: `${role} in ${folder} has the same weights as ${other}`,
          mend: 'Name the checkpoint that was continued with this method at this length.',
        });
        continue;
      }
      const arm = plannedArm({
        model: name,
        severalModels: models.length > 1,
        taken,
        folder,
        weightsId: weights,
        weightFormat,
        provisional: files === null,
        training,
        warnings: checkpoint.ropeWarnings.map(({ where, what }) => `${where}: ${what}`),
        notice: continualPretrainContextTokens === null ? replacedNotice({ method: base.ropeSettings, geometry: base.geometry }, { method, geometry }) : undefined,
        continualPretrainContextTokens,
        method,
        geometry,
        contextTokens: lengths,
      });
      taken.add(arm.id);
      arms.push({ arm, point, config, geometry });
    }
  }
  return arms;
}

/** Stands for weights that are not here: the real ones will have another id, and cells other keys. */
const provisionalId = (role: string, { config }: FoundCheckpoint): WeightsId => id<WeightsId>(digest({ provisional: role, architecture: { ...config } }));
