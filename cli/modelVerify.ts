/** `ropesweep model verify`: whether a checkpoint computes here what it should. */
import { availableParallelism } from 'node:os';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { autoDtype, CPU, deviceText, parseDevice, type Device } from '../domain/device.js';
import { EXIT } from '../domain/errors.js';
import { verifyModel, type Check } from '../evaluation/verifyModel.js';
import { float32Cache } from '../infra/cacheFolder.js';
import { wholeNumber } from '../infra/commandLine.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { MODEL_ARGUMENT, modelPlace } from './modelPlace.js';
import { onDevice } from './onDevice.js';
import { printJson, printLine } from './output.js';

interface VerifyCommandOptions {
  readonly device: Device;
  readonly threads: number;
  readonly json: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Hold a checkpoint against its definition: fused graph against reference graph on its own weights, RoPE tables, tokenizer.')
    .argument('<model>', MODEL_ARGUMENT)
    .addOption(new Option('--device <device>', 'cpu, cuda:N or webgpu').argParser(parseDevice).default(CPU, 'cpu'))
    .option('--threads <n>', 'threads of the engine', wholeNumber('--threads'), availableParallelism())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExit code 1 if a check fails.\n\nExamples:\n  ropesweep model verify models/starter/base\n  ropesweep model verify registry:smollm2-135m --json')
    .action((model: string, options: VerifyCommandOptions) => onDevice(options.device, () => verify(model, options)));
}

async function verify(model: string, { device, threads, json }: VerifyCommandOptions): Promise<void> {
  const checkpoint = await openCheckpoint(modelPlace(model));
  const dtype = autoDtype(device.provider, checkpoint.weightFormat);
  const checks = await verifyModel(checkpoint, { device, dtype, threads, cache: float32Cache() });
  const ok = checks.every((check) => check.ok);
  if (json) printJson({ path: checkpoint.folder, device: deviceText(device), dtype, ok, checks });
  else printLine(`${checkpoint.folder} on ${deviceText(device)} in ${dtype}\n${checkTable(checks)}`);
  if (!ok) process.exitCode = EXIT.error;
}

function checkTable(checks: readonly Check[]): string {
  const table = new Table({
    head: ['check', '', 'difference', 'allowed', 'what'],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'right', 'right', 'left'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const number = (value: number | null): string => (value === null ? '' : value.toExponential(1));
  for (const { name, ok, difference, tolerance, detail } of checks) table.push([name, ok ? 'ok' : 'FAILED', number(difference), number(tolerance), detail]);
  return table.toString();
}
