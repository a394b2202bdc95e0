/** The child process of evaluation/deviceProbe.ts. */
import { parseDevice } from '../domain/device.js';
import { messageOf } from '../domain/errors.js';
import type { ProbeAnswer } from './deviceProbe.js';
import { selfTest } from './selfTest.js';

async function answer(): Promise<ProbeAnswer> {
  try {
    const difference = await selfTest(1, parseDevice(process.argv[2] ?? ''));
    return { difference: Number.isFinite(difference) ? difference : null };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

process.send?.(await answer(), () => process.exit(0));
