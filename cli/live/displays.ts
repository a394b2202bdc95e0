/** A live view where there is no full screen: events for programs, plain lines for people and logs. */
import { endedCells, type LiveDetail, type LiveSweep } from '../../domain/live.js';
import { isEnded } from '../../domain/states.js';
import { printable } from '../../report/terminal/paint.js';
import { duration, printLine } from '../output.js';
import { number } from '../quantities.js';
import { Changes, type LiveEvent } from './events.js';
import type { Display, Frame } from './frame.js';
import { doneShare, type Rates } from './rates.js';
import type { LiveSource } from './source.js';
import { cellRateText, etaSpreadText, etaText, percentText, recoveriesText, withoutNumbers, workRateTexts } from './words.js';

type States = Pick<LiveSource, 'shardStates'>;

export class EventDisplay implements Display {
  private readonly changes = new Changes();

  constructor(private readonly source: States) {}

  async show(frame: Frame): Promise<void> {
    const states = await this.source.shardStates(this.changes.vanished(frame));
    for (const event of this.changes.events(frame, states)) printLine(JSON.stringify(event));
  }

  close(): void {
    // Every event is out already.
  }
}

/** A line of a sweep at most this often, unless its state changes. */
const LINE_EVERY_MS = 5_000;

export class LineDisplay implements Display {
  private readonly changes = new Changes();
  private readonly printed = new Map<string, { readonly atMs: number; readonly state: string }>();

  show(frame: Frame): void {
    const now = Date.now();
    for (const event of this.changes.events(frame, new Map())) {
      if (event.event !== 'sweep') {
        const words = eventWords(event);
        if (words !== null) printLine(words);
        continue;
      }
      const before = this.printed.get(event.sweep);
      if (before !== undefined && before.state === event.state && now - before.atMs < LINE_EVERY_MS) continue;
      this.printed.set(event.sweep, { atMs: now, state: event.state });
      const row = frame.view?.sweeps.find(({ sweep }) => sweep === event.sweep);
      if (row !== undefined) printLine(sweepLine(row, frame.rates.get(event.sweep)));
    }
  }

  close(): void {
    // Every line is out already.
  }
}

/** null where the lines of the sweep say it. */
function eventWords(event: Exclude<LiveEvent, { event: 'sweep' }>): string | null {
  switch (event.event) {
    case 'notice':
      return event.message;
    case 'worker':
      return `worker ${event.worker}: ${event.state === 'silent' ? `silent for ${duration(event.heartbeatSeconds)}` : event.state}${event.reason === null ? '' : ` (${printable(event.reason)})`}, ${event.deviceClass}, ${number(event.slots)} slots`;
    case 'failure':
      return `${event.sweep}: ${number(event.cells)} ${event.state}, ${event.code}, the latest ${event.arm} at ${event.contextTokens}: ${printable(event.reason)}`;
    case 'arm':
    case 'shard':
      return null;
  }
}

/** Where a sweep stands, in one line. */
export function sweepLine(row: LiveSweep | LiveDetail, rates: Rates | undefined): string {
  const { sweep, state, reason, cells, work } = row;
  const spread = rates?.eta == null ? null : etaSpreadText(rates.eta);
  const running =
    !isEnded(state) && work !== null && rates !== undefined
      ? [`${number(work.shards.leased)} shards running`, cellRateText(rates.cellsPerSecond), ...workRateTexts(rates), `${etaText(rates.eta)}${spread === null ? '' : ` (${spread})`}`]
      : [];
  return `${sweep}: ${[
    state,
    `${percentText(doneShare(row, work))} of cost`,
    `${number(endedCells(cells))}/${number(cells.total)} cells`,
    ...running,
    ...(work === null || work.recoveries === 0 ? [] : [recoveriesText(work)]),
    ...withoutNumbers(row),
    ...(reason === null ? [] : [printable(reason)]),
  ].join(', ')}`;
}
