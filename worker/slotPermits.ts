/**
 * Permits to take a task, shared by the two queues that a worker polls: its own (work for a checkpoint that it holds) and that
 * of its device class. Temporal asks for a permit before it polls, so each queue may hold permits for all free slots while
 * it waits; only tasks that were taken count against the other. A task that comes when the last slot was just taken through
 * the other queue waits for a slot in the activity, for a while.
 */
import type { ActivitySlotInfo, CustomSlotSupplier } from '@temporalio/worker';

interface Permit {
  taken: boolean;
}

export class SlotPermits {
  private taken = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly slots: number) {}

  /** For one queue. */
  supplier(): CustomSlotSupplier<ActivitySlotInfo> {
    let held = 0;
    const free = (): boolean => this.taken + held < this.slots;
    return {
      type: 'custom',
      reserveSlot: async (_, aborted): Promise<Permit> => {
        while (!free()) await this.change(aborted);
        held += 1;
        return { taken: false };
      },
      // Tasks are never pushed to this worker past its queues.
      tryReserveSlot: () => null,
      markSlotUsed: ({ permit }) => {
        (permit as Permit).taken = true;
        held -= 1;
        this.taken += 1;
      },
      releaseSlot: ({ permit }) => {
        if ((permit as Permit).taken) this.taken -= 1;
        else held -= 1;
        for (const wake of [...this.waiting]) wake();
      },
    };
  }

  private change(aborted: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.waiting.delete(wake);
        aborted.removeEventListener('abort', abort);
        settle();
      };
      const wake = (): void => end(resolve);
      const abort = (): void => end(() => reject(new DOMException('the worker stops', 'AbortError')));
      if (aborted.aborted) {
        abort();
        return;
      }
      this.waiting.add(wake);
      aborted.addEventListener('abort', abort);
    });
  }
}
