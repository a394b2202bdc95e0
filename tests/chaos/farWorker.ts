/** A worker beside the command's own, which reaches the servers over a link that can be cut. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { POSTGRES_DATABASE, POSTGRES_USER } from '../../infra/embedded/postgresData.js';
import type { Place, RunningCommand } from '../endToEnd/command.js';
import { openLink, type Link } from './link.js';
import { whenLeft } from './places.js';

/** A worker that finds no servers ends; so often another is started. */
const START_EVERY_MS = 3_000;

export class FarWorker {
  private worker: RunningCommand | null = null;
  private startedMs = 0;
  private cutUntilMs: number | null = null;

  private constructor(
    private readonly place: Place,
    private readonly link: Link,
    /** Ports of the embedded servers, which the link leads to. */
    private readonly ports: { readonly postgres: number; readonly temporal: number },
  ) {}

  static async open(place: Place): Promise<FarWorker> {
    // Servers come back to their ports again and again: none of those that the system gives to anybody.
    const port = (): Promise<number> => getPort({ port: randomInt(18_000, 28_000) });
    const ports = { postgres: await port(), temporal: await port() };
    const link = await openLink([ports.postgres, ports.temporal]);
    whenLeft(place, () => link.close());
    return new FarWorker(place, link, ports);
  }

  get linkKind(): Link['kind'] {
    return this.link.kind;
  }

  /** What commands of the place are started with, so that their servers are where the link leads. */
  get environment(): Record<string, string> {
    return { ROPESWEEP_POSTGRES_PORT: String(this.ports.postgres), ROPESWEEP_TEMPORAL_PORT: String(this.ports.temporal) };
  }

  /** Starts it again where it has ended, and heals the link when it is time. */
  tend(): void {
    if (this.cutUntilMs !== null && Date.now() >= this.cutUntilMs) this.heal();
    if (this.worker !== null || Date.now() < this.startedMs + START_EVERY_MS) return;
    this.startedMs = Date.now();
    const [database = '', temporal = ''] = this.link.addresses;
    const password = readFileSync(join(this.place.home, 'postgres', 'password'), 'utf8').trim();
    const environment = { DATABASE_URL: `postgresql://${POSTGRES_USER}:${password}@${database}/${POSTGRES_DATABASE}`, TEMPORAL_ADDRESS: temporal };
    const worker = this.place.start(['worker', '--slots', '1'], environment, this.link.prefix);
    this.worker = worker;
    void worker.ended.then(() => (this.worker = null));
  }

  /** @returns the worker's pid; null where none runs, or it is cut off already */
  cut(milliseconds: number): number | null {
    if (this.worker === null || this.cutUntilMs !== null) return null;
    this.link.cut();
    this.cutUntilMs = Date.now() + milliseconds;
    return this.worker.pid;
  }

  /** Ends it; what it holds it hands back. */
  async stop(): Promise<void> {
    this.heal();
    this.worker?.child.kill('SIGTERM');
    await this.worker?.ended;
  }

  private heal(): void {
    if (this.cutUntilMs !== null) this.link.heal();
    this.cutUntilMs = null;
  }
}
