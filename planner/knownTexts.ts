/** Known texts on this machine: where a name leads. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { RopesweepError } from '../domain/errors.js';
import { REGISTRY_PREFIX } from '../domain/knownModels.js';
import { KNOWN_TEXTS, type KnownText } from '../domain/knownTexts.js';

/** @throws RopesweepError SPEC_INVALID for a name that is not listed */
export function knownText(name: string): KnownText {
  const text = KNOWN_TEXTS.find((one) => one.name === name);
  if (text !== undefined) return text;
  throw new RopesweepError('SPEC_INVALID', { where: name, what: `it is not one of ${KNOWN_TEXTS.map((one) => one.name).join(', ')}`, mend: 'Name a file or a folder for any other text.' });
}

/** Absolute path of a known text's folder, whether it was fetched or not: it stands among the known models. */
export const knownTextFolder = ({ name }: KnownText, modelsFolder: string): string => path.resolve(modelsFolder, name);

/**
 * `registry:moby-dick` -> the absolute path of its folder; null for any other text.
 * @throws RopesweepError SPEC_INVALID for a name that is not listed, or a text that was not fetched
 */
export function resolveTextName(written: string, modelsFolder: string): string | null {
  if (!written.startsWith(REGISTRY_PREFIX)) return null;
  const text = knownText(written.slice(REGISTRY_PREFIX.length));
  const folder = knownTextFolder(text, modelsFolder);
  if (existsSync(folder)) return folder;
  throw new RopesweepError('SPEC_INVALID', { where: written, what: `it was not fetched yet: there is no ${folder}`, mend: `Run ropesweep text fetch ${text.name}.` });
}
