/**
 * `ropesweep grafana-role`: the read-only login that Grafana uses.
 */
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import { openStoreConnection } from '../infra/connections.js';
import { ensureGrafanaRole } from '../results/grafanaRole.js';
import { migrate } from '../results/migrate.js';
import { homeOption } from './options.js';
import { printLine } from './output.js';

const PASSWORD = 'ROPESWEEP_GRAFANA_PASSWORD';

export function grafanaRoleCommand(): Command {
  return new Command('grafana-role')
    .description('Make the read-only login for Grafana, or give it a new password: it can read the reporting views and nothing else.')
    .option('--name <login>', 'name of the login', 'grafana')
    .addOption(homeOption())
    .addHelpText(
      'after',
      `
The password is taken from ${PASSWORD}, so that it stands in no process list and no shell history.
DATABASE_URL must name a user that may create roles. Set-up of Grafana itself: docs/grafana.md.

Example:
  ${PASSWORD}="$(cat secret)" ropesweep grafana-role --name grafana`,
    )
    .action(async ({ name, home }: { name: string; home?: string }) => {
      const password = process.env[PASSWORD] ?? '';
      if (password === '') throw new RopesweepError('CONFIG_INVALID', { where: PASSWORD, what: 'it is not set', mend: 'Put the password of the login there.' });
      const connection = await openStoreConnection({ ...(home === undefined ? {} : { home }), log: (line) => console.error(line) });
      if (connection === null) throw new RopesweepError('CONFIG_INVALID', { where: 'DATABASE_URL', what: 'it is not set, and nothing was run here yet', mend: 'Set it to the PostgreSQL of the sweeps.' });
      try {
        await migrate(connection.databaseUrl);
        await ensureGrafanaRole(connection.databaseUrl, { name, password });
        printLine(`login ${name} can read the schema reporting`);
      } finally {
        await connection.close();
      }
    });
}
