/**
 * All dashboards and provisioning files as they are committed in dashboards/generated and mounted into Grafana.
 */
import { attentionDashboard } from './attention.js';
import type { ClassicDashboard } from './dashboard.js';
import { failuresDashboard } from './failures.js';
import { fleetDashboard } from './fleet.js';
import { needleDashboard } from './needle.js';
import { overviewDashboard } from './overview.js';
import { perplexityDashboard } from './perplexity.js';
import { provisioningFiles } from './provisioning.js';

/** Name of the file -> dashboard. */
export const dashboards = (): Record<string, ClassicDashboard> => ({
  overview: overviewDashboard(),
  needle: needleDashboard(),
  perplexity: perplexityDashboard(),
  attention: attentionDashboard(),
  fleet: fleetDashboard(),
  failures: failuresDashboard(),
});

/** Path in the repository -> text, ending in a line feed. The same text on every machine. */
export function generateDashboards(): Record<string, string> {
  const json = Object.entries(dashboards()).map(([name, dashboard]) => [`dashboards/generated/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`]);
  return { ...(Object.fromEntries(json) as Record<string, string>), ...provisioningFiles() };
}
