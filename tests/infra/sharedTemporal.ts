/** One Temporal program for all tests: the machine's own, or fetched once into the clone's own folder. */
import { findTemporal } from '../../infra/embedded/temporalBinary.js';

export const sharedTemporal = (): Promise<string> => findTemporal({ home: '.ropesweep', log: () => undefined });
