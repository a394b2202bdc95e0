/**
 * The engines we are measured beside. They are installed below the cache folder when a benchmark first asks for them and
 * are no dependency of ropesweep; each runs in a child process that waits for work, so that measurements can alternate.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { lastLine, runProgram } from '../infra/embedded/runProgram.js';
import { packageFile } from '../infra/packageRoot.js';
import type { RandomCheckpoint } from './shape.js';

const TORCH = ['torch==2.15.0', 'transformers==5.23.0', 'safetensors==0.8.0', 'numpy'];
const LLAMA = 'node-llama-cpp@3.22.0';
export const OPTUNA = 'optuna==5.0.0';
export const RAY = 'ray[tune]==2.60.0';
const ORCHESTRATION = [OPTUNA, 'psycopg2-binary==2.9.13', RAY];
const TRIALS_LIMIT_MS = 10 * 60_000;
const INSTALL_LIMIT_MS = 30 * 60_000;

export interface Peer {
  /** Seconds that one prefill of so many tokens takes. */
  readonly prefill: (tokens: number) => Promise<number>;
  readonly close: () => void;
}

export type PeerName = 'sdpa' | 'llamacpp';
export const PEER_TITLES: Readonly<Record<PeerName, string>> = {
  sdpa: `${TORCH.slice(0, 2).join(', ')} with SDPA`,
  llamacpp: `${LLAMA}, f32 GGUF, flash attention`,
};

/** @throws Error where it cannot be installed or does not start */
export async function startPeer(name: PeerName, cache: string, { folder, gguf }: RandomCheckpoint, threads: number): Promise<Peer> {
  if (name === 'sdpa') {
    const target = await install(join(cache, 'peer-torch'), wheels(TORCH));
    const env = { ...process.env, PYTHONPATH: target, TRANSFORMERS_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', OMP_NUM_THREADS: String(threads) };
    return converse('python3', [packageFile('bench', 'peers', 'sdpa.py'), folder, String(threads)], env);
  }
  // The binaries are packages of their own; the install script would fetch or compile others.
  const target = await install(join(cache, 'peer-llamacpp'), (into) => ['npm', ['install', '--prefix', into, '--ignore-scripts', '--no-audit', '--no-fund', LLAMA]]);
  const entry = join(target, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
  return converse(process.execPath, [packageFile('bench', 'peers', 'llama.mjs'), entry, gguf, String(threads)], process.env);
}

const trialsSchema = z.object({ trials: z.number(), seconds: z.number() });

/**
 * One of bench/peers that runs so many trials or tasks and ends.
 *
 * @throws Error where it cannot be installed or fails
 */
export async function runTrials(cache: string, script: string, args: readonly string[]): Promise<z.infer<typeof trialsSchema>> {
  const target = await install(join(cache, 'peer-orchestration'), wheels(ORCHESTRATION));
  const { ok, said } = await runProgram('python3', [packageFile('bench', 'peers', script), ...args], { limitMs: TRIALS_LIMIT_MS, env: { ...process.env, PYTHONPATH: target } });
  const answer = said.split('\n').findLast((line) => line.startsWith('{'));
  if (!ok || answer === undefined) throw new Error(`${script}: ${lastLine(said)}`);
  return trialsSchema.parse(JSON.parse(answer));
}

const wheels = (requirements: readonly string[]) => (into: string): [string, string[]] => ['python3', ['-m', 'pip', 'install', '--quiet', '--only-binary=:all:', '--target', into, ...requirements]];

async function install(target: string, command: (into: string) => [string, string[]]): Promise<string> {
  if (existsSync(target)) return target;
  const unfinished = `${target}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  console.error(`installing ${target} (once)`);
  const { ok, said } = await runProgram(...command(unfinished), { limitMs: INSTALL_LIMIT_MS });
  if (!ok) {
    rmSync(unfinished, { recursive: true, force: true });
    throw new Error(`${target}: ${lastLine(said)}`);
  }
  renameSync(unfinished, target);
  return target;
}

const answerSchema = z.object({ seconds: z.number() });

async function converse(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Peer> {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<number> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`${[command, ...args].join(' ')} ended`);
    return answerSchema.parse(JSON.parse(line.value)).seconds;
  };
  await answer(); // it is loaded
  return {
    prefill: (tokens) => {
      child.stdin.write(`${JSON.stringify({ tokens })}\n`);
      return answer();
    },
    close: () => child.kill(),
  };
}
