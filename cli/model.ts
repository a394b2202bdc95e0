/** `ropesweep model`: one checkpoint, looked at, run and fetched. */
import { Command } from 'commander';
import { forwardCommand } from './forward.js';
import { fetchCommand } from './modelFetch.js';
import { inspectCommand } from './modelInspect.js';
import { verifyCommand } from './modelVerify.js';

export const modelCommand = (): Command =>
  new Command('model').description('Look at, run and fetch one checkpoint.').addCommand(inspectCommand()).addCommand(verifyCommand()).addCommand(forwardCommand()).addCommand(fetchCommand());
