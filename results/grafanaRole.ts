/**
 * The login that Grafana reads with. Its password is given by whoever sets Grafana up, and is nowhere in the repository.
 */
import pg from 'pg';
import { messageOf, RopesweepError } from '../domain/errors.js';
import { asStoreError } from './lostConnection.js';

export interface GrafanaRole {
  readonly name: string;
  readonly password: string;
}

/**
 * Makes the login, or gives it a new password, and lets it read the reporting views (grant_reporting, in the migrations).
 *
 * @param databaseUrl As the owner of ropesweep's schema, with the right to make roles.
 * @throws RopesweepError STORE_LOST, or CONFIG_INVALID if the server refuses.
 */
export async function ensureGrafanaRole(databaseUrl: string, { name, password }: GrafanaRole): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN');
    const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
    const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
    // A statement that defines a role takes no parameters.
    await client.query(`${verb} ROLE ${client.escapeIdentifier(name)} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
    await client.query('SELECT grant_reporting($1)', [name]);
    await client.query('COMMIT');
  } catch (error) {
    const known = asStoreError(error);
    if (known instanceof RopesweepError) throw known;
    throw new RopesweepError('CONFIG_INVALID', {
      where: 'DATABASE_URL',
      // The message only: the error of a failed statement may hold its text, and with it the password.
      what: `the login ${name} cannot be made: ${messageOf(error)}`,
      mend: 'Migrate first, and use a user that may create roles.',
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
