/**
 * Commands that compute on a device of the user's choice. Where its libraries lie is read from the environment when a process
 * starts, so a command on CUDA goes on in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { CPU, type Device } from '../domain/device.js';
import { EXIT } from '../domain/errors.js';
import { assertUsable } from '../evaluation/deviceProbe.js';
import { deviceNeeds } from '../infra/cuda.js';
import { homePath } from '../infra/embedded/homeFolder.js';

/**
 * Does the work here, or runs this very command again where the device is found; the other process then does it.
 * @throws RopesweepError DEVICE_UNAVAILABLE, DEVICE_BROKEN
 */
export async function onDevice(device: Device, work: () => Promise<void>): Promise<void> {
  const needs = deviceNeeds(device, homePath());
  const isSet = Object.entries(needs.environment).every(([name, value]) => process.env[name] === value);
  if (isSet) {
    if (device.provider !== CPU.provider) await assertUsable(device, needs);
    return work();
  }
  const { status } = spawnSync(process.execPath, process.argv.slice(1), { env: { ...process.env, ...needs.environment }, stdio: 'inherit' });
  process.exitCode = status ?? EXIT.error;
}
