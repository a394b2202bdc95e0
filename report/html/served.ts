/**
 * Pages that `ropesweep open` serves: the list of sweeps, and a report with links to its files above it and beside its figures.
 * The report itself is the file that renderHtml makes, with the policy of its head left to the server's.
 */
import { RopesweepError } from '../../domain/errors.js';
import type { SweepStatus } from '../../domain/ports.js';
import { isEnded } from '../../domain/states.js';
import type { TaskKind } from '../../domain/task.js';
import { EXPORT_FORMATS, type ExportFormat } from '../export/exported.js';
import { ROW_KINDS, type RowKind } from '../export/tables.js';
import { besideFigures } from '../figureFiles.js';
import { html, table, Markup, type Content } from './markup.js';
import { STYLE } from './style.js';

/** A page cut where its body begins, so that what changes every second is put in without touching the rest. */
export interface ServedReport {
  /** Up to and with the tag of the body. */
  readonly head: string;
  readonly body: string;
}

const SERVED_STYLE = `
.bar { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; margin-bottom: 1rem; font-size: 14px; color: var(--soft); }
.bar p { margin: 0; }
progress { vertical-align: middle; width: 8rem; max-width: 22vw; accent-color: #26948e; }
@media (max-width: 600px) { progress { max-width: 14vw; } }
.notice { border-left: 4px solid #f58518; padding: .25rem .75rem; margin: 0 0 1rem; }
.files { font-size: 13px; margin: 0; padding: .25rem; }
details.downloads { margin: 0 0 1.5rem; font-size: 14px; }
a { color: inherit; }
a:focus-visible, summary:focus-visible { outline: 3px solid #26948e; outline-offset: 2px; }
`;

const HEAD = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
`;
const SCRIPT = '<script type="module" src="/assets/refresh.js"></script>';
const POLICY = /<meta http-equiv="Content-Security-Policy"[^>]*>\n/;
const BODY = '<body>';

export const pathOf = (sweep: string, ...rest: readonly string[]): string => ['', 'sweeps', sweep, ...rest].map(encodeURIComponent).join('/');

const link = (to: string, text: string, label: string): Markup => html`<a href="${to}" aria-label="${label}">${text}</a>`;

/** @throws RopesweepError INTERNAL where the report is not the page that it was */
export function servedReport(sweep: string, page: string): ServedReport {
  const linked = besideFigures(page, ({ name, title }) => {
    const [svg, png] = [`${name}.svg`, `${name}.png`].map((file) => pathOf(sweep, 'figures', file));
    return html`<p class="files">${link(svg ?? '', 'SVG', `${title} as SVG`)} · ${link(png ?? '', 'PNG', `${title} as PNG`)}</p>`.text;
  });
  const at = linked.indexOf(BODY);
  const head = linked.slice(0, at);
  if (at < 0 || !POLICY.test(head)) throw new RopesweepError('INTERNAL', { where: `report of ${sweep}`, what: 'it has no body, or no policy in its head' });
  return { head: `${head.replace(POLICY, '').replace('</head>', `<style>${SERVED_STYLE}</style>\n${SCRIPT}\n</head>`)}${BODY}`, body: linked.slice(at + BODY.length) };
}

/** While the first report is drawn, or where it could not be. */
export const unservedReport = (sweep: string, words: string): ServedReport => ({
  head: html`${HEAD}<title>${sweep}: ropesweep report</title>
<style>${new Markup(STYLE + SERVED_STYLE)}</style>
${new Markup(SCRIPT)}
</head>
`.text + BODY,
  body: html`
<header><h1>${sweep}</h1></header>
<main><p>${words}</p></main>
</body>
</html>
`.text,
});

const progressText = ({ cells }: SweepStatus): string => `${cells.total - cells.planned} of ${cells.total} cells have ended${cells.failed > 0 ? `, ${cells.failed} failed` : ''}`;

const progress = (status: SweepStatus): Markup => {
  const { total, planned } = status.cells;
  return html`<progress aria-label="cells of ${status.sweep} that have ended" max="${Math.max(1, total)}" value="${total - planned}"></progress>`;
};

/** How the sweep stands: of one that nobody works on, that too. */
const stateText = ({ state }: SweepStatus, isRunning: boolean): string => (isRunning || isEnded(state) || state === 'paused' ? state : `${state} (nothing runs it)`);

const REFRESHED = html`<p id="refreshed" role="status" aria-live="polite">Reload to refresh.</p>`;

const FORMAT_NAMES: Readonly<Record<ExportFormat, string>> = { csv: 'CSV', jsonl: 'JSON Lines', parquet: 'Parquet' };
const TASK_OF_ROWS: Readonly<Record<RowKind, TaskKind | null>> = { cells: null, perplexity: 'perplexity', attention: 'attention', divergences: 'attention', heads: 'attention' };

function downloads(sweep: string, tasks: readonly TaskKind[]): Markup {
  const kinds = ROW_KINDS.filter((kind) => {
    const task = TASK_OF_ROWS[kind];
    return task === null || tasks.includes(task);
  });
  const formats = (kind: RowKind): Content[] => EXPORT_FORMATS.flatMap((format, at) => [at === 0 ? '' : ' · ', link(pathOf(sweep, 'export', `${kind}.${format}`), FORMAT_NAMES[format], `${kind} as ${FORMAT_NAMES[format]}`)]);
  return html`<section aria-label="Files"><details class="downloads" id="downloads"><summary>Files of this sweep</summary><ul>
<li>report: ${link(pathOf(sweep, 'report.html'), 'HTML', 'report as one HTML file')} · ${link(pathOf(sweep, 'report.json'), 'JSON', 'report as JSON')}</li>
${kinds.map((kind) => html`<li>${kind}: ${formats(kind)}</li>\n`)}</ul></details></section>`;
}

export interface Standing {
  readonly status: SweepStatus;
  /** Kinds of the sweep's tasks; none while its report is not drawn. */
  readonly tasks: readonly TaskKind[];
  /** Whether anybody works on the store. */
  readonly isRunning: boolean;
  /** Why what is shown may be old. */
  readonly notices: readonly string[];
}

const noticeText = (notices: readonly string[]): Markup[] => notices.map((notice) => html`<p class="notice" role="status">${notice}</p>\n`);

/** What stands above a report. */
export const standingBar = ({ status, tasks, isRunning, notices }: Standing): string =>
  html`
<nav class="bar" id="bar" aria-label="Sweeps"><a href="/">All sweeps</a><p>${status.sweep}: ${stateText(status, isRunning)}, ${progressText(status)} ${progress(status)}</p>${REFRESHED}</nav>
${noticeText(notices)}${downloads(status.sweep, tasks)}`.text;

/** The list of all sweeps. */
export function sweepsPage(sweeps: readonly SweepStatus[], isRunning: boolean, notices: readonly string[]): string {
  const rows = sweeps.map((status) => [
    html`<a href="${pathOf(status.sweep)}">${status.sweep}</a>`,
    stateText(status, isRunning),
    `${status.cells.total - status.cells.planned} of ${status.cells.total}`,
    progress(status),
    status.cells.failed + status.cells.infeasible,
    status.revision,
    html`<time datetime="${status.updatedAt.toISOString()}">${status.updatedAt.toISOString().slice(0, 16).replace('T', ' ')}</time>`,
  ]);
  const columns = [{ head: 'sweep' }, { head: 'state' }, { head: 'cells', numeric: true }, { head: 'that have ended' }, { head: 'failed', numeric: true }, { head: 'revision', numeric: true }, { head: 'last change, UTC' }];
  const none = html`<p>No sweeps yet. <code>ropesweep run sweeps/demo.yaml</code> runs one; it appears here.</p>`;
  return html`${HEAD}<title>ropesweep: all sweeps</title>
<style>${new Markup(STYLE + SERVED_STYLE)}</style>
${new Markup(SCRIPT)}
</head>
<body>
<header><h1>Sweeps</h1></header>
<div class="bar" id="bar">${REFRESHED}</div>
${noticeText(notices)}<main>${sweeps.length === 0 ? none : table('The one that changed last first', columns, rows)}</main>
</body>
</html>
`.text;
}
