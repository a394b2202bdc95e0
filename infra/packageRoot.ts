/** Files that ship beside the code (migrations, starter models, demo sweep): found from dist/ and from source alike. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function find(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export const PACKAGE_ROOT = find();

/** Absolute path of a file of the package. */
export const packageFile = (...path: string[]): string => join(PACKAGE_ROOT, ...path);
