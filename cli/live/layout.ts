/**
 * A frame as the lines of a screen: pure, so that every size can be looked at in a test. Where there is less room, columns and
 * rows give way, never the figures of the sweep.
 */
import pc from 'picocolors';
import type { SweepId } from '../../domain/ids.js';
import { endedCells, type LiveArm, type LiveDetail, type LiveFailure, type LiveShard, type LiveSweep, type LiveView, type LiveWorker } from '../../domain/live.js';
import { isEnded, type SweepState } from '../../domain/states.js';
import { printable } from '../../report/terminal/paint.js';
import type { TerminalStyle } from '../../report/terminal/style.js';
import { duration } from '../output.js';
import { number } from '../quantities.js';
import type { Frame } from './frame.js';
import { doneShare, type Rates } from './rates.js';
import { ends, fit, joinFitting, tableLines, type Column } from './table.js';
import { cellRateText, contextText, etaSpreadText, etaText, failureText, percentText, recoveriesText, shardsText, withoutNumbers, workRateTexts } from './words.js';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** What keys have changed. */
export interface ScreenChoice {
  readonly help: boolean;
  /** Whether the list of sweeps is shown: false where the command names one. */
  readonly listed: boolean;
  /** The clock of this machine, for the corner. */
  readonly clock: string;
}

type Pen = ReturnType<typeof pc.createColors>;

/** Characters, with an ASCII set for terminals that have no other. */
const GLYPHS = {
  unicode: { full: '━', empty: '─', chosen: '›', ellipsis: '…' },
  ascii: { full: '#', empty: '-', chosen: '>', ellipsis: '~' },
};

interface Canvas {
  readonly width: number;
  readonly pen: Pen;
  readonly glyphs: (typeof GLYPHS)['unicode'];
}

/** Exactly `size.rows` lines, none wider than `size.columns`. */
export function screenLines(frame: Frame, size: ScreenSize, style: Pick<TerminalStyle, 'color' | 'ascii'>, choice: ScreenChoice): string[] {
  const canvas: Canvas = { width: size.columns, pen: pc.createColors(style.color !== 'none'), glyphs: style.ascii ? GLYPHS.ascii : GLYPHS.unicode };
  const top = headLines(frame, canvas, choice);
  const foot = footLine(frame, canvas, choice);
  const room = Math.max(0, size.rows - top.length - 1);
  const body = choice.help ? helpLines(canvas) : frame.view === null ? [] : bodyLines(frame, frame.view, canvas, room, choice);
  const lines = [...top, ...body.slice(0, room)];
  while (lines.length < size.rows - 1) lines.push('');
  return [...lines.slice(0, Math.max(0, size.rows - 1)), foot].slice(0, size.rows).map((line) => fit(line, canvas.width, 'left', canvas.glyphs.ellipsis).trimEnd());
}

function headLines({ source, stale }: Frame, { width, pen, glyphs }: Canvas, { clock }: ScreenChoice): string[] {
  const head = ends(`${pen.bold('ropesweep')}  ${pen.dim(source)}`, pen.dim(clock), width);
  return stale === null ? [head] : [head, pen.yellow(fit(stale, width, 'left', glyphs.ellipsis).trimEnd())];
}

function footLine({ view }: Frame, { width, pen }: Canvas, { help, listed }: ScreenChoice): string {
  const several = listed && (view?.sweeps.length ?? 0) > 1;
  return pen.dim(joinFitting(['q quit', help ? '? back' : '? help', ...(several ? ['tab next sweep'] : [])], width));
}

function helpLines({ width, pen }: Canvas): string[] {
  const lines: readonly [key: string, does: string][] = [
    ['q, Ctrl-C', 'leave; what runs goes on'],
    ['tab, down', 'next sweep (where none was named)'],
    ['shift-tab, up', 'the sweep before'],
    ['Ctrl-Z', 'back to the shell; fg returns'],
    ['?', 'this help, and back'],
    ['', ''],
    ['per cent', 'of the predicted cost (FLOPs), not of the cells'],
    ['ETA', 'what is left, at the speed of the latest shards'],
    ['  in brackets', 'at that of their fastest and slowest quarter'],
    ['recall', 'share of the needle cells so far that pass'],
    ['recoveries', 'attempts of shards above the first one'],
    ['silent', 'a worker without a heartbeat, taken for gone'],
    ['after', 'how the attempt before ended'],
  ];
  return ['', ...lines.map(([key, does]) => `${pen.bold(fit(key, Math.min(14, width)))}  ${does}`)];
}

function bodyLines(frame: Frame, view: LiveView, canvas: Canvas, room: number, { listed }: ScreenChoice): string[] {
  const { detail } = view;
  if (detail === null) return ['', 'no sweeps yet: ropesweep run sweeps/demo.yaml runs one'];
  const sweeps = listed && view.sweeps.length > 1 ? sweepSection(view, detail.sweep, frame.rates, canvas) : null;
  const figures = detailLines(detail, view, frame.rates.get(detail.sweep), canvas);
  const sections = [
    ...(sweeps === null ? [] : [sweeps]),
    armSection(detail, frame.recalls, canvas),
    ...(detail.running.length === 0 ? [] : [runningSection(detail, canvas)]),
    ...(view.workers.length === 0 ? [] : [workerSection(view.workers, canvas)]),
    ...(detail.failures.length === 0 ? [] : [failureSection(detail.failures, canvas)]),
  ];
  const blocks = shareRoom(sections, room - figures.length - 1);
  const [list, others] = sweeps === null ? [[], blocks] : [blocks[0] ?? [], blocks.slice(1)];
  return ['', ...(list.length === 0 ? [] : [...list, '']), ...figures, ...others.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines])];
}

/** The sweep's own figures: what is left of them where the terminal is narrow are the first ones. */
function detailLines(detail: LiveDetail, { at, workers }: LiveView, rates: Rates | undefined, { width, pen, glyphs }: Canvas): string[] {
  const { sweep, revision, state, reason, cells, work, updatedAt } = detail;
  const ended = isEnded(state);
  const ago = duration(Math.max(0, (at.getTime() - updatedAt.getTime()) / 1000));
  const share = doneShare(detail, work);
  const spread = rates?.eta == null ? null : etaSpreadText(rates.eta);
  const lost = withoutNumbers(detail);
  const warning = (text: string): string => pen.yellow(fit(text, width, 'left', glyphs.ellipsis).trimEnd());
  return [
    joinFitting([pen.bold(sweep), `${paintState(state, pen)} ${ended ? `${ago} ago` : `for ${ago}`}`, pen.dim(`revision ${revision}`)], width),
    ends(bar(share, Math.max(4, width - 15), pen, glyphs), pen.bold(`${percentText(share)} of ${work.flops === 0 ? 'cells' : 'cost'}`), width),
    joinFitting(
      [
        `${number(endedCells(cells))}/${number(cells.total)} cells`,
        ...(!ended ? [pen.bold(etaText(rates?.eta ?? null)), ...(spread === null ? [] : [`(${spread})`])] : []),
        ...(lost.length === 0 ? [] : [pen.red(lost.join(', '))]),
      ],
      width,
    ),
    joinFitting([...(!ended && rates !== undefined ? [cellRateText(rates.cellsPerSecond), ...workRateTexts(rates)] : [])], width),
    ...(reason === null ? [] : [warning(printable(reason))]),
    ...(!ended && workers.length === 0 ? [warning('no worker is registered yet: nothing is computed until one starts')] : []),
    joinFitting([`shards: ${shardsText(work)}`, ...(work.recoveries === 0 ? [] : [pen.yellow(recoveriesText(work))])], width),
  ].filter((line) => line !== '');
}

function bar(share: number, width: number, pen: Pen, glyphs: Canvas['glyphs']): string {
  const full = Math.min(width, Math.floor(share * width));
  return pen.cyan(glyphs.full.repeat(full)) + pen.dim(glyphs.empty.repeat(width - full));
}

const PAINT: Readonly<Record<SweepState, 'cyan' | 'green' | 'yellow'>> = { running: 'cyan', paused: 'yellow', stopping: 'yellow', cancelling: 'yellow', done: 'green', incomplete: 'yellow', stopped: 'yellow', cancelled: 'yellow' };
const paintState = (state: SweepState, pen: Pen): string => pen[PAINT[state]](state);

/** Lines of a table for any number of its rows. */
interface Section {
  /** What has the highest number is given up first where not even a row of each fits. */
  readonly giveUp: number;
  readonly rows: number;
  /** Rows that it gets before others get more. */
  readonly least: number;
  readonly lines: (rows: number) => string[];
}

/** @param looksAt the row that must be among those shown */
function section<Row>(giveUp: number, rows: readonly Row[], columns: readonly Column<Row>[], least: number, { width, pen, glyphs }: Canvas, looksAt = 0): Section {
  return {
    giveUp,
    rows: rows.length,
    least: Math.min(least, rows.length),
    lines: (count) => {
      if (count <= 0) return [];
      const start = Math.max(0, Math.min(count < 3 ? looksAt : looksAt - 1, rows.length - count));
      const shown = rows.slice(start, start + count);
      const [name, ...others] = columns;
      const counted = name === undefined || shown.length === rows.length ? columns : [{ ...name, head: `${name.head} (${number(shown.length)} of ${number(rows.length)})` }, ...others];
      return tableLines(counted, shown, width, pen.dim, glyphs.ellipsis);
    },
  };
}

/** A section with its head and a blank line. */
const FRAME_LINES = 2;

/** Lines of each section, none of those given up; rows go round, first up to what each needs least. */
function shareRoom(sections: readonly Section[], room: number): string[][] {
  const kept = [...sections].sort((a, b) => a.giveUp - b.giveUp).slice(0, Math.max(0, Math.floor(room / (FRAME_LINES + 1))));
  const given = new Map(kept.map((section) => [section, 0]));
  let left = room - FRAME_LINES * kept.length;
  for (const wanted of [(of: Section) => of.least, (of: Section) => of.rows]) {
    for (let changed = true; changed && left > 0; ) {
      changed = false;
      for (const [section, rows] of given) {
        if (left === 0 || rows >= wanted(section)) continue;
        given.set(section, rows + 1);
        left -= 1;
        changed = true;
      }
    }
  }
  return sections.map((section) => section.lines(given.get(section) ?? 0));
}

function sweepSection({ sweeps }: LiveView, chosen: SweepId, rates: Frame['rates'], canvas: Canvas): Section {
  const { pen, glyphs } = canvas;
  const columns: Column<LiveSweep>[] = [
    { head: '  SWEEP', text: ({ sweep }) => (sweep === chosen ? pen.bold(`${glyphs.chosen} ${sweep}`) : `  ${sweep}`), giveUp: 0, least: 14 },
    { head: 'state', text: ({ state }) => paintState(state, pen), giveUp: 1 },
    { head: 'done', text: (sweep) => percentText(doneShare(sweep, sweep.work)), align: 'right', giveUp: 2 },
    { head: 'cells', text: ({ cells }) => `${number(endedCells(cells))}/${number(cells.total)}`, align: 'right', giveUp: 4 },
    { head: 'left', text: ({ sweep }) => etaOf(rates.get(sweep)), align: 'right', giveUp: 3 },
    { head: 'without numbers', text: (sweep) => pen.red(withoutNumbers(sweep).join(', ')), giveUp: 5, least: 9 },
  ];
  const at = sweeps.findIndex(({ sweep }) => sweep === chosen);
  return section(3, sweeps, columns, 3, canvas, at);
}

const etaOf = (rates: Rates | undefined): string => (rates?.eta == null ? '' : duration(rates.eta.seconds));

const ARM_BAR = 10;

function armSection({ arms }: LiveDetail, recalls: Frame['recalls'], canvas: Canvas): Section {
  const { pen, glyphs } = canvas;
  const share = ({ flops, doneFlops, cells }: LiveArm): number => (cells.planned === 0 ? 1 : flops === 0 ? endedCells(cells) / cells.total : doneFlops / flops);
  const lost = ({ cells }: LiveArm): number => cells.failed + cells.infeasible + cells.diverged;
  const columns: Column<LiveArm>[] = [
    { head: 'ARM', text: ({ label }) => label, giveUp: 0, least: 16 },
    { head: 'cost', text: (arm) => percentText(share(arm)), align: 'right', giveUp: 1 },
    { head: '', text: (arm) => bar(share(arm), ARM_BAR, pen, glyphs), giveUp: 5 },
    { head: 'cells', text: ({ cells }) => `${number(endedCells(cells))}/${number(cells.total)}`, align: 'right', giveUp: 4 },
    { head: 'running', text: ({ runningShards }) => (runningShards === 0 ? '' : number(runningShards)), align: 'right', giveUp: 3 },
    { head: 'recall', text: ({ arm }) => recallText(recalls.get(arm)), align: 'right', giveUp: 2 },
    { head: 'no numbers', text: (arm) => (lost(arm) === 0 ? '' : pen.red(number(lost(arm)))), align: 'right', giveUp: 6 },
  ];
  const running = arms.findIndex(({ runningShards }) => runningShards > 0);
  return section(1, arms, columns, 3, canvas, running);
}

const recallText = (recall: number | undefined): string => (recall === undefined ? '' : `${Math.round(recall * 100)} %`);

function runningSection({ running, work: { speed } }: LiveDetail, canvas: Canvas): Section {
  const { pen } = canvas;
  /** This attempt began with what earlier ones had left: its own time is compared with the whole shard's only where it is the first. */
  const columns: Column<LiveShard>[] = [
    { head: 'RUNNING', text: ({ armLabel }) => armLabel, giveUp: 0, least: 16 },
    { head: 'context', text: ({ shortestContextTokens, longestContextTokens }) => contextText(shortestContextTokens, longestContextTokens), align: 'right', giveUp: 2 },
    { head: 'cells', text: ({ cells, endedCells: ended }) => `${number(ended)}/${number(cells)}`, align: 'right', giveUp: 1 },
    { head: 'time', text: ({ seconds }) => duration(seconds), align: 'right', giveUp: 3 },
    { head: 'predicted', text: ({ flops }) => (speed === null ? '' : duration(flops / speed.flopsPerSecond)), align: 'right', giveUp: 5 },
    { head: 'attempt', text: ({ attempt }) => (attempt === 1 ? '' : pen.yellow(number(attempt))), align: 'right', giveUp: 4 },
    { head: 'after', text: ({ before }) => pen.yellow(before ?? ''), giveUp: 7 },
    { head: 'worker', text: ({ worker }) => worker, giveUp: 6, least: 12 },
  ];
  return section(0, running, columns, 2, canvas);
}

function workerSection(workers: readonly LiveWorker[], canvas: Canvas): Section {
  const { pen } = canvas;
  const columns: Column<LiveWorker>[] = [
    { head: 'WORKER', text: ({ id }) => id, giveUp: 0, least: 16 },
    { head: 'class', text: ({ deviceClass }) => deviceClass, giveUp: 4 },
    { head: 'busy', text: ({ slots, busySlots }) => `${number(busySlots)}/${number(slots)}`, align: 'right', giveUp: 1 },
    { head: 'heartbeat', text: ({ heartbeatSeconds }) => `${duration(heartbeatSeconds)} ago`, align: 'right', giveUp: 3 },
    { head: 'state', text: ({ state, reason }) => (state === 'ready' ? pen.green(state) : pen.red(reason === null ? state : printable(`${state}: ${reason}`))), giveUp: 2, least: 8 },
    { head: 'loaded', text: ({ loaded }) => loaded.join(', '), giveUp: 5, least: 10 },
  ];
  return section(4, workers, columns, 1, canvas);
}

function failureSection(failures: readonly LiveFailure[], canvas: Canvas): Section {
  const { pen } = canvas;
  const columns: Column<LiveFailure>[] = [
    { head: 'FAILURE', text: ({ code }) => pen.red(code), giveUp: 0, least: 13 },
    { head: 'cells', text: ({ cells }) => number(cells), align: 'right', giveUp: 2 },
    { head: 'latest', text: (failure) => failureText(failure), giveUp: 1, least: 20 },
  ];
  return section(2, failures, columns, 1, canvas);
}
