/** Known models on this machine: where a name leads. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { RopesweepError } from '../domain/errors.js';
import { KNOWN_MODELS, REGISTRY_PREFIX, type KnownModel } from '../domain/knownModels.js';

/** @throws RopesweepError CHECKPOINT_MISSING for a name that is not listed */
export function knownModel(name: string): KnownModel {
  const model = KNOWN_MODELS.find((one) => one.name === name);
  if (model !== undefined) return model;
  throw new RopesweepError('CHECKPOINT_MISSING', { where: name, what: `it is not one of ${KNOWN_MODELS.map((one) => one.name).join(', ')}`, mend: 'Name a folder or a .gguf file for any other model.' });
}

/** Absolute path of a known model's file, whether it was fetched or not. */
export const knownModelFile = ({ name, file }: KnownModel, modelsFolder: string): string => path.resolve(modelsFolder, name, path.basename(file.path));

/**
 * `registry:smollm2-135m` -> the absolute path of its file; any other text stays as it is.
 * @param modelsFolder where `ropesweep model fetch` puts models (infra/cacheFolder.ts)
 * @throws RopesweepError CHECKPOINT_MISSING for a name that is not listed, or a model that was not fetched
 */
export function resolveModelName(name: string, modelsFolder: string): string {
  if (!name.startsWith(REGISTRY_PREFIX)) return name;
  const model = knownModel(name.slice(REGISTRY_PREFIX.length));
  const file = knownModelFile(model, modelsFolder);
  if (existsSync(file)) return file;
  throw new RopesweepError('CHECKPOINT_MISSING', { where: name, what: `it was not fetched yet: there is no ${file}`, mend: `Run ropesweep model fetch ${model.name}.` });
}
