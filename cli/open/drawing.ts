/** A report as it is served, made of the rows of the store. It takes seconds of a large sweep, so it is made in a thread of its own. */
import type { SweepId } from '../../domain/ids.js';
import type { TaskKind } from '../../domain/task.js';
import { gather } from '../../report/gathered.js';
import { figuresIn, type ReportFigure } from '../../report/figureFiles.js';
import { renderHtml } from '../../report/html/report.js';
import { pathOf, servedReport, type ServedReport } from '../../report/html/served.js';
import { reportJson } from '../../report/json.js';
import type { PrismaStore } from '../../results/store.js';
import { sweepSource } from '../sweepSource.js';

export interface Drawing {
  /** The file that `ropesweep report` writes. */
  readonly html: string;
  readonly served: ServedReport;
  /** What `ropesweep report --json` prints, with the paths of the figures. */
  readonly json: string;
  readonly figures: readonly ReportFigure[];
  readonly tasks: readonly TaskKind[];
}

/** @throws RopesweepError SWEEP_UNKNOWN, STORE_LOST */
export async function draw(store: PrismaStore, sweep: SweepId): Promise<Drawing> {
  const rows = await gather(await sweepSource(store, sweep));
  const html = await renderHtml(rows);
  const figures = figuresIn(html);
  const listed = figures.map(({ name, title, description }) => ({ name, title, description, svg: pathOf(sweep, 'figures', `${name}.svg`), png: pathOf(sweep, 'figures', `${name}.png`) }));
  return {
    html,
    served: servedReport(sweep, html),
    json: `${JSON.stringify({ ...reportJson(rows), figures: listed }, null, 2)}\n`,
    figures,
    tasks: [...new Set(rows.lengths.map(({ taskKind }) => taskKind))],
  };
}
