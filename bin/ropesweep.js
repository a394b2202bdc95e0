#!/usr/bin/env node
// `worker` has an entry of its own: the command line hosts no worker code, it forks this.
const entry = process.argv[2] === 'worker' ? '../dist/worker/main.js' : '../dist/cli/main.js';
try {
  await import(entry);
} catch (error) {
  if (error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('/dist/')) {
    console.error('ropesweep is not built: run `npm ci` (or `npm run build`) in its folder.');
    process.exit(1);
  }
  throw error;
}
