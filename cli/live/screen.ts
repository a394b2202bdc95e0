/**
 * The whole terminal: the alternate screen, given back whatever ends the command; keys; lines that are written only where they
 * changed, within one synchronised update, so that nothing flickers.
 */
import ansi from 'ansi-escapes';
import stringWidth from 'string-width';
import type { ScreenSize } from './layout.js';

/** CSI sequences and single characters of a terminal in raw mode; what is not here means nothing. */
const KEYS: Readonly<Record<string, Key>> = {
  q: 'quit',
  Q: 'quit',
  '\u0003': 'quit',
  '\u001a': 'suspend',
  '?': 'help',
  h: 'help',
  '\t': 'next',
  '\u001b[B': 'next',
  '\u001bOB': 'next',
  j: 'next',
  '\u001b[Z': 'previous',
  '\u001b[A': 'previous',
  '\u001bOA': 'previous',
  k: 'previous',
};

/** By then a process that is to stop has stopped. */
const CONTINUE_MS = 100;

export type Key = 'quit' | 'suspend' | 'help' | 'next' | 'previous';

/** The keys in what the terminal sent at once: a fast typist's, or those of a paste. */
export const keysIn = (data: string): Key[] =>
  (data.match(/\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|[\s\S]/g) ?? []).flatMap((sequence) => KEYS[sequence] ?? []);

export class Screen {
  private shown: string[] = [];
  private active = false;
  private readonly resized = (): void => {
    this.shown = [];
    this.onResize();
  };
  private readonly typed = (data: string): void => {
    for (const key of keysIn(data)) {
      if (key === 'suspend') this.suspend();
      else this.onKey(key);
    }
  };
  private readonly restore = (): void => this.leave();

  constructor(
    private readonly onKey: (key: Exclude<Key, 'suspend'>) => void,
    private readonly onResize: () => void,
  ) {
    this.enter();
    process.stdout.on('resize', this.resized);
    // Whatever ends the process, an error nobody caught too.
    process.on('exit', this.restore);
  }

  get size(): ScreenSize {
    return { columns: process.stdout.columns, rows: process.stdout.rows };
  }

  draw(lines: readonly string[]): void {
    if (!this.active) return;
    const { columns } = this.size;
    const changes = lines.flatMap((line, row) => {
      if (this.shown[row] === line) return [];
      // Erasing behind a line that fills the row would take its last character away.
      return [ansi.cursorTo(0, row) + line + (stringWidth(line) < columns ? ansi.eraseEndLine : '')];
    });
    if (this.shown.length === 0) changes.unshift(ansi.clearViewport);
    if (changes.length > 0) process.stdout.write(ansi.beginSynchronizedOutput + changes.join('') + ansi.endSynchronizedOutput);
    this.shown = [...lines];
  }

  close(): void {
    process.stdout.off('resize', this.resized);
    process.off('exit', this.restore);
    this.leave();
  }

  private enter(): void {
    this.active = true;
    this.shown = [];
    process.stdout.write(ansi.enterAlternativeScreen + ansi.cursorHide);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true).setEncoding('utf8').on('data', this.typed).resume();
  }

  private leave(): void {
    if (!this.active) return;
    this.active = false;
    process.stdout.write(ansi.cursorShow + ansi.exitAlternativeScreen);
    if (process.stdin.isTTY) process.stdin.off('data', this.typed).setRawMode(false).pause();
  }

  /** Ctrl-Z, which a terminal in raw mode hands on as a character. */
  private suspend(): void {
    this.leave();
    process.kill(process.pid, 'SIGTSTP');
    // Goes off when the shell continues the process; or at once, where there is no shell that could and nothing was stopped.
    setTimeout(() => {
      this.enter();
      this.onResize();
    }, CONTINUE_MS);
  }
}
