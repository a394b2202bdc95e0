/** A sweep for a person: heat maps and table in the terminal, the HTML report as a file. */
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { SweepHead } from '../domain/rows.js';
import type { Gathered } from '../report/gathered.js';
import { renderHtml } from '../report/html/report.js';
import { renderTerminal } from '../report/terminal/report.js';
import { terminalStyle } from '../report/terminal/style.js';
import { printLine } from './output.js';
import { writeOutput } from './outputFile.js';

/** Where a sweep's HTML report goes unless the user names a file. */
export const reportFile = (home: string, { sweep }: Pick<SweepHead, 'sweep'>): string => join(home, 'reports', `${sweep}.html`);

/** @param html the report where it is made already */
export async function showResults(rows: Gathered, file: string, html: string | null = null): Promise<void> {
  printLine(renderTerminal(rows, terminalStyle(process.stdout)));
  await writeOutput(file, [html ?? (await renderHtml(rows))]);
  printLine(`\nreport: ${nearby(file)}`);
}

/** Relative to the working directory where the file lies below it, else absolute. */
export function nearby(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? resolve(file) : path;
}
