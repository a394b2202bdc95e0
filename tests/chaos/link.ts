/**
 * The way from one worker to its servers, which can be cut: a network namespace with one cable (packets are dropped, as by a
 * switch that died), or, where the system permits none, a relay that keeps connections open and passes nothing on.
 */
import { execFileSync } from 'node:child_process';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export interface Link {
  readonly kind: 'network namespace' | 'relay';
  /** Put before a command line, it runs at the far end. */
  readonly prefix: readonly string[];
  /** Address of each server as the far end sees it, in the order given. */
  readonly addresses: readonly string[];
  cut(): void;
  heal(): void;
  close(): Promise<void>;
}

/** @param ports of 127.0.0.1 that the far end is to reach */
export async function openLink(ports: readonly number[]): Promise<Link> {
  const cable = layCable();
  const host = cable?.here ?? '127.0.0.1';
  const relays = await Promise.all(ports.map((port) => openRelay(host, port)));
  const each = (act: (relay: Relay) => void) => (): void => relays.forEach(act);
  return {
    kind: cable === null ? 'relay' : 'network namespace',
    prefix: cable?.prefix ?? [],
    addresses: relays.map(({ port }) => `${host}:${String(port)}`),
    cut: cable === null ? each((relay) => relay.hold()) : () => cable.set('down'),
    heal: cable === null ? each((relay) => relay.pass()) : () => cable.set('up'),
    close: async () => {
      await Promise.all(relays.map((relay) => relay.close()));
      cable?.remove();
    },
  };
}

interface Cable {
  /** Address of this end. */
  readonly here: string;
  readonly prefix: readonly string[];
  set(state: 'up' | 'down'): void;
  remove(): void;
}

/** A pair of interfaces between this namespace and a new one; null where that is not permitted. */
function layCable(): Cable | null {
  const name = `rs${String(process.pid % 1_000_000)}`;
  // A /30 of the range for benchmarks between networks (RFC 2544), by pid.
  const block = (process.pid % 8_192) * 4;
  const address = (offset: number): string => `198.18.${String((block >> 8) & 0xff)}.${String((block & 0xff) + offset)}`;
  const ip = (line: string): void => void execFileSync('ip', line.split(' '), { stdio: 'ignore' });
  const set = (state: 'up' | 'down'): void => ip(`link set ${name}a ${state}`);
  const remove = (): void => ip(`netns del ${name}`);
  try {
    ip(`netns add ${name}`);
  } catch {
    return null;
  }
  try {
    ip(`link add ${name}a type veth peer name ${name}b netns ${name}`);
    ip(`addr add ${address(1)}/30 dev ${name}a`);
    ip(`-n ${name} addr add ${address(2)}/30 dev ${name}b`);
    for (const line of [`-n ${name} link set lo up`, `-n ${name} link set ${name}b up`]) ip(line);
    set('up');
    return { here: address(1), prefix: ['ip', 'netns', 'exec', name], set, remove };
  } catch {
    remove();
    return null;
  }
}

interface Relay {
  readonly port: number;
  hold(): void;
  pass(): void;
  close(): Promise<void>;
}

async function openRelay(host: string, target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let holding = false;
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (data) => to.write(data));
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (holding) from.pause();
    }
  });
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  return {
    port: address.port,
    hold: () => {
      holding = true;
      for (const socket of sockets) socket.pause();
    },
    pass: () => {
      holding = false;
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
