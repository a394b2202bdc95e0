/** `ropesweep text fetch`: a known text, by its name. */
import { Command } from 'commander';
import { REGISTRY_PREFIX } from '../domain/knownModels.js';
import { KNOWN_TEXTS } from '../domain/knownTexts.js';
import { modelsFolder } from '../infra/cacheFolder.js';
import { fetchText } from '../infra/fetchText.js';
import { knownText, knownTextFolder } from '../planner/knownTexts.js';
import { homeOption } from './options.js';
import { printLine } from './output.js';

export function textCommand(): Command {
  const known = KNOWN_TEXTS.map(({ name, description, license }) => `  ${name}   ${description} (${license})`).join('\n');
  const fetch = new Command('fetch')
    .description('Fetch a known text by npm into the cache of this node (ROPESWEEP_CACHE, or cache/ in the home).')
    .argument('<name>', KNOWN_TEXTS.map(({ name }) => name).join(', '))
    .addOption(homeOption())
    .addHelpText(
      'after',
      `
Known texts:
${known}

A sweep file names one as the path of documents or of a text haystack: ${REGISTRY_PREFIX}NAME.

Example:
  ropesweep text fetch moby-dick`,
    )
    .action(async (name: string, options: { readonly home?: string }) => {
      const text = knownText(name);
      const place = knownTextFolder(text, modelsFolder(options.home));
      const done = await fetchText(text, place, (line) => console.error(line));
      printLine(`${done === 'fetched' ? 'fetched' : 'there already'}: ${place}`);
    });
  return new Command('text').description('Texts for documents and haystacks.').addCommand(fetch);
}
