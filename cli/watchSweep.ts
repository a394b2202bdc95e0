/**
 * `ropesweep watch`: sweeps as they run, on the whole screen of a terminal, else in lines or events. It only looks: what runs
 * does not depend on it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { EXIT, RopesweepError } from '../domain/errors.js';
import { id, type SweepId } from '../domain/ids.js';
import type { LiveView } from '../domain/live.js';
import { isEnded, type SweepEndState } from '../domain/states.js';
import { terminalStyle } from '../report/terminal/style.js';
import { EventDisplay, LineDisplay, sweepLine } from './live/displays.js';
import type { Display, Frame } from './live/frame.js';
import { screenLines } from './live/layout.js';
import { Screen, type Key } from './live/screen.js';
import { LiveSource } from './live/source.js';
import { homeOption } from './options.js';
import { printLine, whenOutputCloses } from './output.js';

interface WatchOptions {
  readonly json: boolean;
  readonly exit: boolean;
  readonly interval: number;
  readonly home?: string;
}

/** The shortest pause between two looks, in seconds. */
const SHORTEST_INTERVAL = 0.2;
/** A stack that went may come back: another `run` of the sweep goes on in the place of one that was killed. */
const GONE_LIMIT_MS = 5_000;

export function watchSweepCommand(): Command {
  return new Command('watch')
    .description('Watch sweeps as they run: progress and time left by cost, arms, running shards, workers, failures.')
    .argument('[sweep]', 'name of a sweep (default: those that run)')
    .addOption(homeOption())
    .addOption(new Option('--interval <seconds>', 'pause between two looks').argParser(seconds).default(1))
    .option('--exit', 'leave when the sweep ends, with its exit code; without a terminal that is always so', false)
    .option('--json', 'one JSON event a line', false)
    .addHelpText(
      'after',
      `
On a terminal it takes the whole screen and stays when a sweep ends, and before one starts: q leaves, ? helps.
Without one it prints a line every five seconds and at every change of state, and ends with the sweep.
It shows the stack that runs in the home, or the store of DATABASE_URL, and starts and stops nothing.

Exit codes: 0 done or left with q, 1 error, 2 bad input, 3 the sweep ended otherwise or was not watched to its end.

Examples:
  ropesweep watch
  ropesweep watch demo --exit && ropesweep export demo --format csv --out demo.csv
  ropesweep watch demo --json | grep '"event":"failure"'`,
    )
    .action(async (sweep: string | undefined, options: WatchOptions) => {
      process.exitCode = await watchSweep(sweep === undefined ? null : id<SweepId>(sweep), options);
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= SHORTEST_INTERVAL && value <= 3600)) {
    throw new RopesweepError('OPTION_INVALID', { where: '--interval', what: `${text} is not a number of seconds from ${SHORTEST_INTERVAL} to 3600` });
  }
  return value;
}

async function watchSweep(named: SweepId | null, options: WatchOptions): Promise<number> {
  const fullScreen = process.stdout.isTTY && !options.json && process.env['TERM'] !== 'dumb';
  const untilEnd = !fullScreen || options.exit;
  const source = new LiveSource(options);
  const leave = new AbortController();
  const stop = (): void => leave.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  whenOutputCloses(stop);
  let display: Display | null = null;
  let frame: Frame | null = null;
  try {
    // What is wrong from the start is said below the command, not on a screen that vanishes.
    frame = await source.look(named);
    refuseUnknown(named, frame, source, untilEnd);
    const screen = fullScreen ? new ScreenDisplay(named, stop) : null;
    display = screen ?? (options.json ? new EventDisplay(source) : new LineDisplay());
    const running = new Set<SweepId>();
    for (;;) {
      for (const { sweep, state } of frame.view?.sweeps ?? []) if (!isEnded(state)) running.add(sweep);
      const end = untilEnd ? endOf(named, frame, source, running) : null;
      if (end !== null) frame = { ...frame, recalls: await source.lastRecalls() };
      await display.show(frame);
      if (end !== null) return end;
      const pause = sleep(options.interval * 1000, undefined, { signal: leave.signal }).catch(() => undefined);
      await (screen === null ? pause : Promise.race([pause, screen.chosen()]));
      if (leave.signal.aborted) return untilEnd ? EXIT.incomplete : EXIT.done;
      frame = await source.look(screen?.selected ?? named);
    }
  } finally {
    display?.close(frame);
    for (const signal of signals) process.off(signal, stop);
    await source.close();
  }
}

/** A name that nobody submitted; on the screen of a home where nothing was ever run, the first run is waited for. */
function refuseUnknown(named: SweepId | null, { view }: Frame, source: LiveSource, untilEnd: boolean): void {
  if (named === null || view?.detail != null || source.starting === named || (view === null && !untilEnd)) return;
  throw new RopesweepError('SWEEP_UNKNOWN', { where: named, what: 'no sweep of that name' });
}

const exitOf = (state: SweepEndState): number => (state === 'done' ? EXIT.done : EXIT.incomplete);

/** The exit code where there is nothing more to wait for, else null. */
function endOf(named: SweepId | null, { view }: Frame, source: LiveSource, seenRunning: ReadonlySet<SweepId>): number | null {
  if (source.starting !== null && (named === null || source.starting === named)) return null;
  const states = (view?.sweeps ?? []).filter(({ sweep }) => (named === null ? seenRunning.has(sweep) : sweep === named)).map(({ state }) => state);
  const ended = states.flatMap((state) => (isEnded(state) ? [exitOf(state)] : []));
  if (ended.length === states.length && !(named === null && anyRuns(view))) return Math.max(EXIT.done, ...ended);
  // The sweep that was left behind is still `running`: nobody wrote its end.
  return source.goneMs !== null && source.goneMs >= (seenRunning.size > 0 && source.everOpen ? GONE_LIMIT_MS : 0) ? EXIT.incomplete : null;
}

const anyRuns = (view: LiveView | null): boolean => view?.sweeps.some(({ state }) => !isEnded(state)) ?? false;

/** The full screen: keeps the last frame, so that keys and a new size show at once. */
class ScreenDisplay implements Display {
  private readonly screen: Screen;
  private frame: Frame | null = null;
  private help = false;
  private choice: SweepId | null = null;
  private wake: () => void = () => undefined;

  constructor(
    private readonly named: SweepId | null,
    private readonly quit: () => void,
  ) {
    this.screen = new Screen((key) => this.press(key), () => this.draw());
  }

  /** The sweep that keys have chosen; null for the first one. */
  get selected(): SweepId | null {
    return this.named ?? this.choice;
  }

  /** Resolves when keys choose another sweep, so that it is looked at without waiting. */
  chosen(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  show(frame: Frame): void {
    this.frame = frame;
    this.draw();
  }

  /** Leaves where the sweep stood on the shell's own screen. */
  close(last: Frame | null): void {
    this.screen.close();
    const detail = last?.view?.detail;
    if (detail != null) printLine(sweepLine(detail, last?.rates.get(detail.sweep)));
  }

  private draw(): void {
    if (this.frame === null) return;
    const clock = new Date().toTimeString().slice(0, 8);
    this.screen.draw(screenLines(this.frame, this.screen.size, terminalStyle(process.stdout), { help: this.help, listed: this.named === null, clock }));
  }

  private press(key: Exclude<Key, 'suspend'>): void {
    if (key === 'quit') this.quit();
    else if (key === 'help') this.help = !this.help;
    else this.choose(key === 'next' ? 1 : -1);
    this.draw();
  }

  private choose(step: number): void {
    const sweeps = this.frame?.view?.sweeps.map(({ sweep }) => sweep) ?? [];
    const at = sweeps.findIndex((sweep) => sweep === this.frame?.view?.detail?.sweep);
    if (this.named !== null || sweeps.length < 2) return;
    this.choice = sweeps[(at + step + sweeps.length) % sweeps.length] ?? null;
    this.wake();
  }
}
