/** Ports of the embedded stack: free ones by default, fixed ones where the environment names them. */
import { createServer } from 'node:net';
import getPort from 'get-port';
import { RopesweepError, type Problem } from '../../domain/errors.js';

const VARIABLES = {
  postgres: 'ROPESWEEP_POSTGRES_PORT',
  temporal: 'ROPESWEEP_TEMPORAL_PORT',
  temporalUi: 'ROPESWEEP_TEMPORAL_UI_PORT',
} as const;

export type PortName = keyof typeof VARIABLES;
export type ConfiguredPorts = Readonly<Partial<Record<PortName, number>>>;

/** @throws RopesweepError CONFIG_INVALID with every variable that is no port, or that repeats another's. */
export function configuredPorts(env: NodeJS.ProcessEnv = process.env): ConfiguredPorts {
  const ports: Partial<Record<PortName, number>> = {};
  const problems: Problem[] = [];
  for (const [name, variable] of Object.entries(VARIABLES) as [PortName, string][]) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    const port = Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      problems.push({ where: variable, what: `"${text}" is not a port`, mend: 'Give a number from 1 to 65535, or unset it for a free port.' });
    } else if (Object.values(ports).includes(port)) {
      problems.push({ where: variable, what: `another server of the stack is to use ${port} already`, mend: 'Give each server a port of its own.' });
    } else {
      ports[name] = port;
    }
  }
  if (problems.length > 0) throw new RopesweepError('CONFIG_INVALID', problems);
  return ports;
}

/** @throws RopesweepError PORT_TAKEN with every configured port on which something else listens. */
export async function refuseTakenPorts(ports: ConfiguredPorts): Promise<void> {
  const problems: Problem[] = [];
  for (const [name, port] of Object.entries(ports) as [PortName, number][]) {
    const why = await listenFailure(port);
    if (why !== null) problems.push({ where: VARIABLES[name], what: `port ${port} of 127.0.0.1 is not free (${why})` });
  }
  if (problems.length > 0) throw new RopesweepError('PORT_TAKEN', problems);
}

export const freePort = (): Promise<number> => getPort({ host: '127.0.0.1' });

function listenFailure(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(null)));
  });
}
