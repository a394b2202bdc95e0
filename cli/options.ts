/** Options that several verbs share, declared once. */
import { Option } from 'commander';
import { wholeNumber } from '../infra/commandLine.js';

const collect = (value: string, before: string[]): string[] => [...before, value];

export const setOption = (): Option =>
  new Option('--set <key=value>', 'override one value of the sweep file, e.g. contextTokens=[128,256] (repeatable)').argParser(collect).default([], 'none');

export const homeOption = (): Option =>
  new Option('--home <folder>', 'folder of the embedded stack (default: .ropesweep, or ROPESWEEP_HOME)');

export const slotOption = (): Option =>
  new Option('--slots <n>', 'evaluation processes of the local worker (default: one a core)').argParser(wholeNumber('--slots'));
