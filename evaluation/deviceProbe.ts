/**
 * Whether a device can be used: a throw-away child process opens a session on it and holds fused against reference
 * attention. A missing library or driver may end the process that loads it, and the list of backends that the binding
 * gives was fixed when it was compiled.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deviceText, type Device } from '../domain/device.js';
import { RopesweepError } from '../domain/errors.js';
import { SELF_TEST_TOLERANCE } from './selfTestTolerance.js';

/** DEVICE_BROKEN: it computes, but wrongly. */
type Unusable = { readonly ok: false; readonly code: 'DEVICE_UNAVAILABLE' | 'DEVICE_BROKEN'; readonly reason: string };
export type DeviceProbe = { readonly ok: true; readonly difference: number } | Unusable;

/** What a device takes, of which nothing is known here (infra/cuda.ts). */
export interface DeviceNeeds {
  /** Where its libraries are found. */
  readonly environment: Readonly<Record<string, string>>;
  /** What is known to be missing, which says more than what a loader prints; null where nothing is. */
  readonly lack: string | null;
}

/** What the child says before it ends. */
export type ProbeAnswer = { readonly difference: number | null } | { readonly error: string };

const LIMIT_MS = 120_000;

export async function probeDevice(device: Device, { environment, lack }: DeviceNeeds): Promise<DeviceProbe> {
  const probe = await tried(device, environment);
  return probe.ok || probe.code === 'DEVICE_BROKEN' || lack === null ? probe : unavailable(lack);
}

/** @throws RopesweepError DEVICE_UNAVAILABLE, DEVICE_BROKEN */
export async function assertUsable(device: Device, needs: DeviceNeeds): Promise<void> {
  const probe = await probeDevice(device, needs);
  if (!probe.ok) throw new RopesweepError(probe.code, { where: deviceText(device), what: probe.reason });
}

const unavailable = (reason: string): Unusable => ({ ok: false, code: 'DEVICE_UNAVAILABLE', reason });
const broken = (reason: string): Unusable => ({ ok: false, code: 'DEVICE_BROKEN', reason });

function tried(device: Device, environment: DeviceNeeds['environment']): Promise<DeviceProbe> {
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
    child.once('error', (error) => resolve(unavailable(error.message)));
    child.once('close', (code, signal) => resolve(probe ?? unavailable(`its process ended by ${signal ?? `exit code ${String(code)}`}: ${said.trim() || 'no output'}`)));
  });
}

/** The place in ONNX Runtime's sources and the condition that did not hold, before the words for a person. */
const ASSERTION = /^\S+\.(?:cc|h):\d+ .* was false\. /s;

function judge(answer: ProbeAnswer): DeviceProbe {
  if ('error' in answer) return unavailable(answer.error.replace(ASSERTION, '').trim());
  const { difference } = answer;
  if (difference === null) return broken('its attention is not finite');
  if (difference <= SELF_TEST_TOLERANCE) return { ok: true, difference };
  return broken(`fused and reference attention differ by ${difference.toExponential(2)}, more than ${SELF_TEST_TOLERANCE}`);
}
