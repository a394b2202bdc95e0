/** Events of a run in words for a person; null = nothing to say. */
import pc from 'picocolors';
import { plural } from '../report/labels.js';
import { savedText } from '../report/refinementFace.js';
import { duration } from './output.js';
import type { RunEvent } from './runEvents.js';

export function runWords(event: RunEvent): string | null {
  switch (event.event) {
    case 'planned': {
      const { cells } = event;
      const beside = [
        ...(cells.cached > 0 ? [`${String(cells.cached)} cached`] : []),
        ...(cells.failed > 0 ? [`${String(cells.failed)} failed before`] : []),
        ...(cells.infeasible > 0 ? [`${String(cells.infeasible)} infeasible`] : []),
        ...(cells.excluded > 0 ? [`${String(cells.excluded)} excluded`] : []),
      ];
      const head = `${pc.bold(event.sweep)}: ${String(cells.total)} cells, ${String(cells.new)} to compute in ${String(event.shards)} shards`;
      const known = cells.new === 0 ? `; all cells are known, nothing to compute` : '';
      return `${head}${beside.length > 0 ? ` (${beside.join(', ')})` : ''}${known}`;
    }
    case 'extended':
      return pc.dim(`refinement: ${plural(event.cells, 'cell')} more`);
    case 'attached':
      return event.runs === event.sweep
        ? `another process (pid ${String(event.pid)}) runs this sweep: attached to it`
        : pc.dim(`using the servers and the worker of ${event.runs === null ? 'the stack that is up' : `the run of ${event.runs}`} (pid ${String(event.pid)})`);
    case 'started':
      return event.temporalUi === null ? null : pc.dim(`workflow in the Temporal UI: ${event.temporalUi}`);
    case 'detached':
      return `${pc.bold(event.sweep)} revision ${String(event.revision)} was submitted: ropesweep watch ${event.sweep} follows it`;
    case 'notice':
      return pc.dim(event.message);
    case 'progress':
      return null;
    case 'finished': {
      const { cells } = event;
      const failed = cells.failed + cells.infeasible;
      const state = event.state === 'done' ? pc.green('done') : pc.yellow(event.state);
      const line = `${pc.bold(event.sweep)} revision ${String(event.revision)}: ${state}, ${String(cells.measured)} measured, ${String(cells.cached)} cached, ${String(cells.diverged)} diverged, ${String(failed)} failed in ${duration(event.seconds)}`;
      return [line, ...(event.reason === null ? [] : [pc.yellow(event.reason)]), ...(event.refinement === undefined ? [] : [savedText(event.refinement)])].join('\n');
    }
  }
}
