/** What is answered to a path. All that can be asked for is listed here; no path is ever one of the file system. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { SweepId } from '../../domain/ids.js';
import type { SweepStatus } from '../../domain/ports.js';
import { packageFile } from '../../infra/packageRoot.js';
import { EXPORT_FORMATS, type ExportFormat } from '../../report/export/exported.js';
import { ROW_KINDS } from '../../report/export/tables.js';
import { pngOf } from '../../report/figureFiles.js';
import { standingBar, sweepsPage, unservedReport } from '../../report/html/served.js';
import type { StoreOptions } from '../store.js';
import { download } from './download.js';
import type { Drawing } from './drawing.js';
import type { Drawings, Drawn } from './drawings.js';
import { FILE_POLICY } from './guard.js';
import type { Look, Looks } from './looks.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** In pieces; those of an export are made as they are taken. */
  readonly body: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
}

export interface Asked {
  /** Of the path, decoded. */
  readonly segments: readonly string[];
  /** By the script of a page that is open already, which asks again and again. */
  readonly isRefresh: boolean;
}

export interface Served {
  readonly store: StoreOptions;
  readonly looks: Looks;
  readonly drawings: Drawings;
}

/** How long a page waits for its report before it is shown without. */
const PATIENCE_MS = 3_000;

const HTML = 'text/html; charset=utf-8';

const TYPES: Readonly<Record<ExportFormat, string>> = { csv: 'text/csv; charset=utf-8', jsonl: 'application/x-ndjson; charset=utf-8', parquet: 'application/vnd.apache.parquet' };

const ASSETS: Readonly<Record<string, () => string>> = {
  'refresh.js': () => packageFile('dist', 'cli', 'open', 'browser', 'refresh.js'),
  'idiomorph.js': () => fileURLToPath(import.meta.resolve('idiomorph')),
};

export const plain = (status: number, words: string, headers: Readonly<Record<string, string>> = {}): Answer => ({ status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: [`${words}\n`] });

const NOT_FOUND = plain(404, 'There is nothing here. The sweeps are listed at /');

export async function answerTo(served: Served, { segments, isRefresh }: Asked): Promise<Answer> {
  const [first, second, third, fourth, ...more] = segments;
  if (more.length > 0) return NOT_FOUND;
  if (first === 'assets' && second !== undefined && third === undefined) return asset(second);
  if (first === 'sweeps' && second !== undefined) return ofSweep(served, second, [third, fourth].filter((part) => part !== undefined), isRefresh);
  // Browsers ask for it unasked.
  if (first === 'favicon.ico') return { status: 204, headers: {}, body: [] };
  const look = await served.looks.look(!isRefresh);
  if (first === undefined) return page([sweepsPage(look.sweeps, look.isRunning, look.notices)]);
  return first === 'sweeps.json' && second === undefined ? json(`${JSON.stringify(look.sweeps, null, 2)}\n`) : NOT_FOUND;
}

async function asset(name: string): Promise<Answer> {
  const file = Object.hasOwn(ASSETS, name) ? ASSETS[name]?.() : undefined;
  return file === undefined ? NOT_FOUND : { status: 200, headers: { 'content-type': 'text/javascript; charset=utf-8' }, body: [await readFile(file)] };
}

async function ofSweep({ store, looks, drawings }: Served, name: string, [part, file]: readonly string[], isRefresh: boolean): Promise<Answer> {
  const look = await looks.look(!isRefresh);
  const status = look.sweeps.find(({ sweep }) => sweep === name);
  if (status === undefined) return plain(404, 'No sweep of that name. The sweeps are listed at /');
  if (part === undefined) return sweepPage(drawings, look, status, isRefresh);
  if (part === 'export' && file !== undefined) return exportFile(store, status.sweep, file);
  if (part === 'figures' && file !== undefined) return figureFile(await drawings.fresh(status), file);
  if (file !== undefined || (part !== 'report.html' && part !== 'report.json')) return NOT_FOUND;
  return drawn(await drawings.fresh(status), ({ html, json: text }) => (part === 'report.json' ? json(text) : { status: 200, headers: { 'content-type': HTML, 'content-security-policy': FILE_POLICY }, body: [html] }));
}

/** What is drawn, or why it is not. */
async function drawn({ drawing, failure }: Drawn, use: (drawing: Drawing) => Answer | Promise<Answer>): Promise<Answer> {
  return drawing === null ? plain(503, `The report cannot be drawn: ${failure ?? 'the store is away'}`) : use(drawing);
}

async function sweepPage(drawings: Drawings, { isRunning, notices }: Look, status: SweepStatus, isRefresh: boolean): Promise<Answer> {
  const latest = drawings.latest(status);
  const waited = latest.pending !== null && (latest.drawn?.drawing == null || !isRefresh) ? await atMost(PATIENCE_MS, latest.pending) : null;
  const { drawing = null, failure = null } = waited ?? latest.drawn ?? {};
  const waiting = failure === null ? 'The report is being drawn; it appears here.' : `The report cannot be drawn: ${failure}`;
  const { head, body } = drawing?.served ?? unservedReport(status.sweep, waiting);
  const shown = failure !== null && drawing !== null ? [...notices, `The report is an older one, for the newest cannot be drawn: ${failure}`] : notices;
  return page([head, standingBar({ status, tasks: drawing?.tasks ?? [], isRunning, notices: shown }), body]);
}

async function atMost<Result>(ms: number, work: Promise<Result>): Promise<Result | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const FILE_NAME = /^([a-z0-9-]+)\.([a-z]+)$/;

function figureFile(found: Drawn, file: string): Promise<Answer> {
  return drawn(found, async ({ figures }) => {
    const [, name, extension] = FILE_NAME.exec(file) ?? [];
    const figure = figures.find((one) => one.name === name);
    if (figure === undefined || (extension !== 'svg' && extension !== 'png')) return NOT_FOUND;
    return extension === 'svg'
      ? { status: 200, headers: { 'content-type': 'image/svg+xml', 'content-security-policy': FILE_POLICY }, body: [figure.svg] }
      : { status: 200, headers: { 'content-type': 'image/png' }, body: [await pngOf(figure)] };
  });
}

function exportFile(store: StoreOptions, sweep: SweepId, file: string): Answer {
  const [, kind, extension] = FILE_NAME.exec(file) ?? [];
  const rows = ROW_KINDS.find((one) => one === kind);
  const format = EXPORT_FORMATS.find((one) => one === extension);
  if (rows === undefined || format === undefined) return NOT_FOUND;
  return {
    status: 200,
    headers: { 'content-type': TYPES[format], 'content-disposition': `attachment; filename="${sweep}-${rows}.${format}"` },
    body: download(store, sweep, rows, format),
  };
}

/** The body's digest is its tag, so that a page that has not changed is not sent again. */
function page(body: readonly string[]): Answer {
  const hash = createHash('sha256');
  for (const piece of body) hash.update(piece);
  return { status: 200, headers: { 'content-type': HTML, etag: `"${hash.digest('base64url')}"` }, body };
}

const json = (text: string): Answer => ({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: [text] });
