/** The thread that draws reports: one after the other, each with a connection of its own. */
import { parentPort } from 'node:worker_threads';
import { messageOf, RopesweepError } from '../../domain/errors.js';
import { openStore } from '../../results/store.js';
import { draw } from './drawing.js';
import type { DrawingAnswer, DrawingOrder } from './drawings.js';

async function answer({ databaseUrl, sweep }: DrawingOrder): Promise<DrawingAnswer> {
  try {
    const store = await openStore(databaseUrl);
    try {
      return { drawing: await draw(store, sweep) };
    } finally {
      await store.close();
    }
  } catch (error) {
    return { code: error instanceof RopesweepError ? error.code : 'INTERNAL', message: messageOf(error) };
  }
}

parentPort?.on('message', (order: DrawingOrder) => {
  void answer(order).then((given) => parentPort?.postMessage(given));
});
