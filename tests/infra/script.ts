/** Processes of their own for tests, and a line protocol to talk with the script that one runs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { packageFile } from '../../infra/packageRoot.js';

/** Address of a compiled module: processes of their own run the build, as users do. */
export const compiled = (path: string): string => pathToFileURL(packageFile('dist', path)).href;

export interface Script {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The next line of standard output as JSON; rejects with what was said on standard error if the process ended. */
  next(): Promise<Record<string, unknown>>;
  say(line: string): void;
  readonly exited: Promise<number | null>;
}

export function runScript(script: string, args: readonly string[] = [], options: { prefix?: readonly string[]; env?: NodeJS.ProcessEnv } = {}): Script {
  const [command = process.execPath, ...rest] = [...(options.prefix ?? []), process.execPath, '--input-type=module', '-e', script, ...args];
  const child = spawn(command, rest, { env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  if (child.pid === undefined) throw new Error(`cannot run ${command}`);
  return {
    child,
    pid: child.pid,
    exited,
    say: (line) => child.stdin.write(`${line}\n`),
    next: async () => {
      const line = (await lines.next()) as IteratorResult<string, undefined>;
      if (line.done === true) throw new Error(`the script ended: ${complaints}`);
      return JSON.parse(line.value) as Record<string, unknown>;
    },
  };
}

/** A script that opens a stack, says where it is, and closes it when told. */
export const STACK_SCRIPT = `
  import { createInterface } from 'node:readline';
  import { openStack } from '${compiled('infra/embedded/stack.js')}';
  const say = (value) => console.log(JSON.stringify(value));
  const [home, sweep, temporal] = process.argv.slice(1);
  try {
    const stack = await openStack({ home, sweep: sweep === '' ? null : sweep, log: (line) => console.error(line), durable: false });
    const server = temporal === 'temporal' ? await stack.temporal() : null;
    say({ url: stack.databaseUrl, attached: stack.attached?.pid ?? null, address: server?.address ?? null });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === 'gone') say({ gone: stack.ownerGone() });
      if (line === 'close') break;
    }
    await stack.close();
    say({ closed: true });
    process.exit(0);
  } catch (error) {
    say({ code: error.code ?? null, message: error.message });
    process.exit(1);
  }`;
