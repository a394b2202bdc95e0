/**
 * Whether a device can be used: a throw-away child process opens a session on it and holds fused against reference
 * attention. A missing library or driver may end the process that loads it, and the list of backends that the binding
 * gives was fixed when it was compiled.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deviceText, type Device } from '../domain/device.js';
import { SELF_TEST_TOLERANCE } from './selfTest.js';

export type DeviceProbe = { readonly ok: true; readonly difference: number } | { readonly ok: false; readonly reason: string };

/** What the child says before it ends. */
export type ProbeAnswer = { readonly difference: number | null } | { readonly error: string };

const LIMIT_MS = 120_000;

/** @param environment where the device's libraries are found (infra/cuda.ts) */
export function probeDevice(device: Device, environment: Readonly<Record<string, string>>): Promise<DeviceProbe> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('./deviceProbeChild.js', import.meta.url)), [deviceText(device)], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    let probe: DeviceProbe | null = null;
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    child.on('message', (answer: ProbeAnswer) => (probe = judge(answer)));
    child.once('error', (error) => resolve({ ok: false, reason: error.message }));
    child.once('close', (code, signal) => resolve(probe ?? { ok: false, reason: `its process ended by ${signal ?? `exit code ${String(code)}`}: ${said.trim() || 'no output'}` }));
  });
}

function judge(answer: ProbeAnswer): DeviceProbe {
  if ('error' in answer) return { ok: false, reason: answer.error };
  const { difference } = answer;
  if (difference === null) return { ok: false, reason: 'its attention is not finite' };
  if (difference <= SELF_TEST_TOLERANCE) return { ok: true, difference };
  return { ok: false, reason: `fused and reference attention differ by ${difference.toExponential(2)}, more than ${SELF_TEST_TOLERANCE}` };
}
