/** The client of Temporal is most of what a command loads, and many ask no workflow: it is loaded where one is asked. */
import type { TemporalServerInfo } from '../infra/connections.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

export async function openWorkflows(temporal: TemporalServerInfo): Promise<SweepWorkflows> {
  const { SweepWorkflows: Opened } = await import('./sweepWorkflows.js');
  return Opened.open(temporal);
}
