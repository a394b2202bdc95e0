/** A login as Grafana has it, and its connection. */
import pg from 'pg';
import { ensureGrafanaRole, type GrafanaRole } from '../../results/grafanaRole.js';

export async function readAs(url: string, role: GrafanaRole): Promise<pg.Client> {
  await ensureGrafanaRole(url, role);
  const login = new URL(url);
  login.username = role.name;
  login.password = encodeURIComponent(role.password);
  const client = new pg.Client({ connectionString: login.href });
  await client.connect();
  return client;
}

/** Logins are of the server, not of a database: the last of these takes its rights along. */
export async function dropRole(urls: readonly string[], role: GrafanaRole): Promise<void> {
  for (const [index, url] of urls.entries()) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`DROP OWNED BY ${role.name}`);
    if (index === urls.length - 1) await client.query(`DROP ROLE ${role.name}`);
    await client.end();
  }
}
