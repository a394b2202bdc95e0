/**
 * `ropesweep device`: which devices of this node can be used, and what CUDA needs.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { deviceText, parseDevice } from '../domain/device.js';
import { EXIT, RopesweepError } from '../domain/errors.js';
import { probeDevice, type DeviceProbe } from '../evaluation/deviceProbe.js';
import { deviceNeeds, installCuda } from '../infra/cuda.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';

interface DeviceOptions {
  readonly home?: string;
  readonly json: boolean;
}

export function deviceCommand(): Command {
  return new Command('device').description('Look at the devices of this node and install what they need.').addCommand(checkCommand()).addCommand(installCommand());
}

function checkCommand(): Command {
  return new Command('check')
    .description('Try devices: a process of its own opens a session there and compares fused with reference attention.')
    .argument('[device...]', 'cpu, cuda:N, webgpu (default: cpu, cuda:0 and webgpu)')
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExit code 1 if a device that was named cannot be used.\n\nExamples:\n  ropesweep device check\n  ropesweep device check cuda:1 --json')
    .action(async (named: readonly string[], options: DeviceOptions) => {
      const home = homePath(options.home);
      const devices = (named.length === 0 ? ['cpu', 'cuda:0', 'webgpu'] : named).map(parseDevice);
      const probes = [];
      for (const device of devices) probes.push({ device: deviceText(device), ...(await probeDevice(device, deviceNeeds(device, home))) });
      if (options.json) printJson(probes);
      else printLine(probeTable(probes));
      if (named.length > 0 && probes.some(({ ok }) => !ok)) process.exitCode = EXIT.error;
    });
}

function probeTable(probes: readonly ({ readonly device: string } & DeviceProbe)[]): string {
  const table = new Table({ head: ['device', 'usable', 'detail'], style: { head: [], border: [] }, colWidths: [12, 10, 84], wordWrap: true, wrapOnWordBoundary: false });
  for (const probe of probes) {
    table.push([probe.device, probe.ok ? 'yes' : 'no', probe.ok ? `fused and reference attention differ by ${probe.difference.toExponential(2)}` : probe.reason]);
  }
  return table.toString();
}

function installCommand(): Command {
  return new Command('install')
    .description('Put the CUDA provider of ONNX Runtime and its libraries in place (Linux x64; by pip, pinned by hash, about 1.5 GB).')
    .argument('<what>', 'cuda')
    .addOption(homeOption())
    .addHelpText('after', '\nThe driver of the GPU is not among them: it belongs to the system.\n\nExample:\n  ropesweep device install cuda && ropesweep device check cuda:0')
    .action(async (what: string, options: Pick<DeviceOptions, 'home'>) => {
      if (what !== 'cuda') throw new RopesweepError('OPTION_INVALID', { where: what, what: 'only cuda can be installed: cpu and webgpu come with ropesweep', mend: 'Use ropesweep device install cuda.' });
      const done = await installCuda(homePath(options.home), (line) => console.error(line));
      printLine({ installed: 'CUDA is in place', linked: 'CUDA was fetched before; it is linked again', present: 'CUDA was in place already' }[done]);
    });
}
