/**
 * `ropesweep open`: the reports of all sweeps in a browser, new while they run. It only reads, and starts nothing that stays.
 */
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { isIP } from 'node:net';
import { Command, Option } from 'commander';
import openInBrowser from 'open';
import { messageOf, RopesweepError } from '../domain/errors.js';
import { wholeNumber } from '../infra/commandLine.js';
import { pathOf } from '../report/html/served.js';
import { Drawings } from './open/drawings.js';
import { Looks } from './open/looks.js';
import { reportServer } from './open/server.js';
import { homeOption } from './options.js';
import { printLine } from './output.js';
import { stopRequests } from './stopRequests.js';

interface OpenOptions {
  readonly host: string;
  readonly port: number;
  readonly browser: boolean;
  readonly json: boolean;
  readonly home?: string;
}

export function openCommand(): Command {
  return new Command('open')
    .description('Serve the reports of all sweeps to a browser on this machine, refreshing themselves while sweeps run.')
    .argument('[sweep]', 'name of the sweep whose page is printed (default: the list of all)')
    .addOption(homeOption())
    .addOption(new Option('--host <address>', 'where to listen').default('127.0.0.1'))
    .addOption(new Option('--port <number>', 'port to listen on').argParser(wholeNumber('--port', 0)).default(0, 'a free one'))
    .option('--browser', 'open the page in a browser too; only from a terminal', false)
    .option('--json', 'print the address as JSON', false)
    .addHelpText(
      'after',
      `
It serves until Ctrl-C: a page with all sweeps, the report of each, its figures as SVG and PNG, exports as files, and the same
as JSON (/sweeps.json, /sweeps/NAME/report.json). It only reads, and keeps neither a run nor ropesweep down from ending. It
listens on this machine alone; there is no password, so --host with another address shows everything to whoever reaches it.
From elsewhere: ssh -L 8000:localhost:8000 MACHINE, with --port 8000 there.

Examples:
  ropesweep open
  ropesweep open demo --browser
  ropesweep open --port 8000
  curl -s http://127.0.0.1:8000/sweeps/demo/report.json | jq '.arms[] | [.arm, .reach.contextTokens]'`,
    )
    .action(serve);
}

async function serve(named: string | undefined, options: OpenOptions): Promise<void> {
  const log = (line: string): void => console.error(line);
  const stop = stopRequests(() => undefined);
  const looks: Looks = new Looks(options, log, () => void drawings.interrupt());
  const drawings = new Drawings(looks);
  try {
    const { sweeps } = await looks.look(true);
    if (named !== undefined && !sweeps.some(({ sweep }) => sweep === named)) throw new RopesweepError('SWEEP_UNKNOWN', { where: named, what: 'no sweep of that name' });
    const server = reportServer({ store: options, looks, drawings }, new Set([options.host, hostname()].map((name) => name.toLowerCase())), log);
    await listen(server, options);
    try {
      await announce(server, named, options);
      if (!stop.signal.aborted) await once(stop.signal, 'abort');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  } finally {
    await drawings.interrupt();
    await looks.close();
    stop.dispose();
  }
}

/** @throws RopesweepError PORT_TAKEN, OPTION_INVALID */
async function listen(server: Server, { host, port }: OpenOptions): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
      throw new RopesweepError('PORT_TAKEN', { where: `${host}:${port}`, what: 'another program listens there', mend: 'Name another with --port, or leave it out for a free one.' }, { cause });
    }
    throw new RopesweepError('OPTION_INVALID', { where: `--host ${host} --port ${port}`, what: messageOf(cause), mend: 'Name an address of this machine and a port that you may listen on.' }, { cause });
  }
}

async function announce(server: Server, named: string | undefined, { host, browser, json }: OpenOptions): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const isEverywhere = host === '0.0.0.0' || host === '::';
  const name = isEverywhere ? '127.0.0.1' : isIP(host) === 6 ? `[${host}]` : host;
  const url = `http://${name}:${port}${named === undefined ? '/' : pathOf(named)}`;
  printLine(json ? JSON.stringify({ url }) : `${url} (Ctrl-C ends it)`);
  if (!(host === 'localhost' || host === '::1' || host.startsWith('127.'))) console.error(`there is no password: whoever reaches ${isEverywhere ? 'this machine' : host} on port ${port} can read every sweep`);
  if (!browser) return;
  if (!process.stdout.isTTY) console.error('no browser is opened: this is no terminal');
  else await openInBrowser(url).catch((error: unknown) => console.error(`no browser could be opened: ${messageOf(error)}`));
}
