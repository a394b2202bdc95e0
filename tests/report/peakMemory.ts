/** Loaded before a command (`node --import`): as it ends, its largest memory in KiB goes into the file that PEAK_MEMORY_FILE names. */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env['PEAK_MEMORY_FILE'];
if (file !== undefined && isMainThread) process.on('exit', () => writeFileSync(file, String(process.resourceUsage().maxRSS)));
