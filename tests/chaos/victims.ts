/** Processes of one place, found from outside: what a kill may hit, and what is left when all should be over. */
import { readFileSync } from 'node:fs';
import { descendants, processes, type Place, type ProcessRow, type RunningCommand } from '../endToEnd/command.js';
import type { KILLED } from './schedule.js';

const isSlot = ({ args }: ProcessRow): boolean => /worker\/slot\.js/.test(args);
const isWorker = ({ args }: ProcessRow): boolean => /ropesweep\.js worker /.test(args);
const isTemporal = ({ args }: ProcessRow): boolean => / server start-dev /.test(args);
const isPostmaster = ({ args }: ProcessRow): boolean => /postgres -D /.test(args);

/** The pids that one kill hits, by age; empty where there is none of that kind now. */
export function victimsOf(victim: (typeof KILLED)[number], pick: number, place: Place, commands: readonly RunningCommand[]): number[] {
  const all = everythingOf(place);
  const one = (rows: readonly ProcessRow[]): number[] => {
    const sorted = rows.map(({ pid }) => pid).sort((a, b) => a - b);
    return sorted.slice(Math.floor(pick * sorted.length)).slice(0, 1);
  };
  switch (victim) {
    case 'slot':
      return one(all.filter(isSlot));
    case 'worker':
      return one(all.filter(isWorker));
    case 'temporal':
      return one(all.filter(isTemporal));
    case 'postgres':
      return one(all.filter(isPostmaster));
    case 'backend': {
      const postmasters = new Set(all.filter(isPostmaster).map(({ pid }) => pid));
      return one(all.filter(({ parent, args }) => postmasters.has(parent) && args.includes('127.0.0.1')));
    }
    case 'command':
      return one(all.filter(({ pid }) => commands.some((command) => command.pid === pid)));
    case 'everything':
      return commands.length === 0 ? [] : all.map(({ pid }) => pid);
  }
}

/** Every living process that was started in the place: by its environment, its command line, or a parent of which that is true. */
export function everythingOf({ folder }: Place): ProcessRow[] {
  const living = processes().filter(({ args }) => !args.endsWith('<defunct>'));
  const marked = living.filter(({ pid, args }) => args.includes(folder) || environmentOf(pid).includes(folder));
  const below = marked.flatMap(({ pid }) => descendants(pid, living));
  return [...new Map([...marked, ...below].map((row) => [row.pid, row])).values()];
}

/** Empty where the system does not show it; then command lines must do. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, 'utf8');
  } catch {
    return '';
  }
}
