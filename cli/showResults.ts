/** The end of a run for a person: heat maps and table in the terminal, the HTML report as a file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SweepId } from '../domain/ids.js';
import { renderHtml } from '../report/html/report.js';
import { renderTerminal } from '../report/terminal/report.js';
import { terminalStyle } from '../report/terminal/style.js';
import type { PrismaStore } from '../results/store.js';
import { printLine } from './output.js';

export async function showResults(store: PrismaStore, sweep: SweepId, home: string): Promise<void> {
  const rows = await store.rows(sweep);
  printLine(renderTerminal(rows, terminalStyle(process.stdout)));
  const folder = join(home, 'reports');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${sweep}.html`);
  await writeFile(file, await renderHtml(rows));
  printLine(`report: ${relative(process.cwd(), file)}`);
}
