/**
 * What the command prints: JSON lines for programs, a live display or plain lines for people.
 */
import { EXIT } from '../domain/errors.js';

export const printLine = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** One JSON document, for commands with --json. */
export const printJson = (value: unknown): void => printLine(JSON.stringify(value, null, 2));

/** 83 -> `1 min 23 s`; for people, so rounded. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min ${String(whole % 60)} s`;
  return `${String(Math.floor(whole / 3600))} h ${String(Math.floor((whole % 3600) / 60))} min`;
}

/**
 * What happens when the reader of standard output goes away. For verbs that only print it is the reader's choice
 * (`ropesweep export | head`): done. A run is stopped in order instead.
 */
let closed: () => void = () => process.exit(EXIT.done);

export function whenOutputCloses(handler: () => void): void {
  closed = handler;
}

export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      closed();
      return;
    }
    console.error(`standard output cannot be written: ${error.message}`);
    process.exit(EXIT.error);
  });
}
