/**
 * All dashboards as the JSON that is committed in dashboards/generated and provisioned to Grafana.
 */
import { needleDashboard } from './needle.js';

/** Path in the repository -> text, ending in a line feed. The same text on every machine. */
export function generateDashboards(): Record<string, string> {
  return { 'dashboards/generated/needle.json': `${JSON.stringify(needleDashboard(), null, 2)}\n` };
}
