/**
 * The worker that a command forks on this machine: the same `ropesweep worker` that a cluster runs, kept alive.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { deviceText, type Device } from '../domain/device.js';
import { RopesweepError } from '../domain/errors.js';
import { packageFile } from '../infra/packageRoot.js';

export interface LocalWorkerOptions {
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it also runs workflows and store activities. */
  readonly control: boolean;
  readonly deviceClass: string;
  readonly device: Device;
  readonly slots?: number;
  /** Told when the worker died and was started again. */
  readonly onRestart: (how: string) => void;
}

/** Deaths in a row without a minute of life between them that end the attempt. */
const MAXIMUM_QUICK_DEATHS = 5;
const QUICK_MS = 60_000;
const STOP_MS = 30_000;

export class LocalWorker {
  private child: ChildProcess | null = null;
  private stopping = false;
  private quickDeaths = 0;
  private readonly log: WriteStream;
  readonly logFile: string;
  /** Rejects when the worker cannot be kept alive. */
  readonly failed: Promise<never>;
  private fail: (error: Error) => void = () => undefined;

  constructor(private readonly options: LocalWorkerOptions) {
    const folder = join(options.home, 'logs');
    mkdirSync(folder, { recursive: true });
    this.logFile = join(folder, 'worker.log');
    this.log = createWriteStream(this.logFile, { flags: 'a' });
    // A log that cannot be written (a full disk) is no reason to end a sweep.
    this.log.on('error', () => undefined);
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => undefined);
    this.start();
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Drains the worker and waits for its end; after a limit it is killed. */
  async stop(): Promise<void> {
    this.stopping = true;
    const child = this.child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(limit);
    }
    await new Promise<void>((resolve) => {
      if (this.log.destroyed) resolve();
      else this.log.once('close', resolve).end();
    });
  }

  private start(): void {
    const { home, control, deviceClass, device, slots, environment } = this.options;
    const args = ['worker', ...(control ? ['--control'] : []), '--device-class', deviceClass, '--device', deviceText(device), '--slots', slots === undefined ? 'auto' : String(slots)];
    const started = Date.now();
    const child = fork(packageFile('bin', 'ropesweep.js'), args, {
      env: { ...process.env, ROPESWEEP_HOME: home, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: Ctrl-C goes to the command alone, which then drains the worker in order.
      detached: true,
    });
    this.child = child;
    child.stdout?.pipe(this.log, { end: false });
    child.stderr?.pipe(this.log, { end: false });
    child.once('exit', (exitCode, signal) => {
      if (this.stopping) return;
      const how = signal ?? `exit code ${String(exitCode)}`;
      this.quickDeaths = Date.now() - started < QUICK_MS ? this.quickDeaths + 1 : 0;
      if (this.quickDeaths >= MAXIMUM_QUICK_DEATHS) {
        this.fail(new RopesweepError('STACK_FAILED', { where: 'worker', what: `it died ${String(this.quickDeaths)} times in a row (${how}); see ${this.logFile}` }));
        return;
      }
      this.options.onRestart(how);
      setTimeout(() => {
        if (!this.stopping) this.start();
      }, 250 * 2 ** this.quickDeaths);
    });
  }
}
