import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type PrismaStore } from '../../results/store.js';
import { seedMixedSweep } from '../stack/mixedSweep.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { openPlace, processesOf, waitFor, type Place, type RunningCommand } from './command.js';
import { writeSmallSweep } from './smallSweep.js';

let place: Place;
let database: TestDatabase;
let store: PrismaStore;
beforeAll(async () => {
  [place, database] = await Promise.all([openPlace(), freshDatabase()]);
  store = await openStore(database.url);
  await seedMixedSweep(store, 'mixed');
});
afterAll(async () => {
  await store.close();
  place.remove();
  await database.drop();
});

/** `ropesweep open`, and where it serves. */
async function serve(args: readonly string[], env: Record<string, string> = {}): Promise<{ readonly command: RunningCommand; readonly url: string }> {
  const command = place.start(['open', '--json', ...args], env);
  const url = await waitFor('the address', () => command.events()[0]?.['url'] as string | undefined);
  return { command, url: new URL(url).origin };
}

interface Got {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** A request as it is written: fetch would mend the path. */
const get = (url: string, path: string, { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    request({ hostname, port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('latin1') }));
      response.on('error', reject);
    })
      .on('error', reject)
      .end();
  });

/** What is answered to bytes that no client would send. */
const raw = (url: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (data) => (answer += data.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

/** The page of a sweep with its report: a first one may be drawn for longer than a page waits. */
async function drawnPage(url: string, path: string): Promise<Got> {
  await get(url, `${path}/report.html`);
  return get(url, path);
}

describe('ropesweep open, on a configured store', () => {
  let command: RunningCommand;
  let url: string;
  beforeAll(async () => {
    ({ command, url } = await serve([], { DATABASE_URL: database.url }));
  });
  afterAll(async () => {
    command.child.kill('SIGINT');
    await command.ended;
  });

  it('lists the sweeps and shows the report of each, with links to all its files, which are there', async () => {
    const list = await get(url, '/');
    expect(list.body).toContain('<a href="/sweeps/mixed">mixed</a>');
    const page = await drawnPage(url, '/sweeps/mixed');
    expect(page.status).toBe(200);
    expect(page.body).toContain('<h2>Needle in a haystack</h2>');
    const links = [...page.body.matchAll(/href="(\/sweeps\/[^"]*)"/g)].map(([, path]) => path ?? '');
    expect(links).toEqual(expect.arrayContaining(['/sweeps/mixed/report.html', '/sweeps/mixed/report.json', '/sweeps/mixed/export/cells.parquet', '/sweeps/mixed/export/heads.csv', '/sweeps/mixed/figures/needle-none.svg', '/sweeps/mixed/figures/needle-pi.png']));
    // An export is a process each: three of them stand for all.
    const asked = links.filter((path) => !path.includes('/export/') || /cells\.parquet|heads\.csv|perplexity\.jsonl/.test(path));
    for (const path of asked) {
      const { status, body } = await get(url, path);
      expect([path, status, body.length > 100]).toEqual([path, 200, true]);
    }
  });

  it('gives out what the commands print', async () => {
    const env = { DATABASE_URL: database.url };
    const [csv, report] = await Promise.all([place.run(['export', 'mixed'], env), place.run(['report', 'mixed', '--json'], env)]);
    expect((await get(url, '/sweeps/mixed/export/cells.csv')).body).toBe(Buffer.from(csv.stdout).toString('latin1'));
    const { figures, ...served } = JSON.parse(Buffer.from((await get(url, '/sweeps/mixed/report.json')).body, 'latin1').toString()) as { figures: { svg: string; png: string }[] };
    expect(served).toEqual(JSON.parse(report.stdout));
    for (const { svg, png } of figures) {
      expect((await get(url, svg)).body).toContain('<svg');
      expect((await get(url, png)).body.slice(1, 4)).toBe('PNG');
    }
    expect(JSON.parse((await get(url, '/sweeps.json')).body)).toMatchObject([{ sweep: 'mixed', cells: { failed: 1 } }]);
  });

  it('answers that nothing has changed, until something has', async () => {
    const { headers } = await drawnPage(url, '/sweeps/mixed');
    const again = await get(url, '/sweeps/mixed', { headers: { 'if-none-match': String(headers['etag']) } });
    expect([again.status, again.body]).toEqual([304, '']);
    expect((await get(url, '/sweeps/mixed', { headers: { 'if-none-match': '"older"' } })).status).toBe(200);
    expect((await get(url, '/sweeps/mixed', { method: 'HEAD' })).body).toBe('');
  });

  it('serves nothing under a name of another site, and nothing to its pages', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example', '[::1', 'a b', '127.0.0.1@evil.example']) {
      const { status, body } = await get(url, '/sweeps/mixed', { headers: { host } });
      expect([host, [400, 403].includes(status), body.includes('Needle')]).toEqual([host, true, false]);
    }
    expect(await raw(url, 'GET /sweeps/mixed HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 403 /);
    for (const host of ['localhost', 'localhost:8000', '127.0.0.1', '[::1]:9']) expect((await get(url, '/', { headers: { host } })).status).toBe(200);
    expect((await get(url, '/sweeps/mixed/export/cells.csv', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } })).status).toBe(403);
  });

  it('changes nothing: it knows no other method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const { status, headers } = await get(url, '/sweeps/mixed', { method });
      expect([method, status, headers['allow']]).toEqual([method, 405, 'GET, HEAD']);
    }
  });

  it.each([
    '/../../../../etc/passwd', '/assets/../../package.json', '/assets/..%2f..%2f..%2f..%2fpackage.json', '/assets/%2e%2e/%2e%2e/package.json', '/assets/', '/assets', '//etc/passwd', '/assets/__proto__',
    '/assets/toString', '/sweeps/', '/sweeps/..%2fmixed', '/sweeps/mixed%00', '/sweeps/mixed/figures/', '/sweeps/mixed/figures/..%2f..%2freport.svg', '/sweeps/mixed/figures/needle-none.html', '/sweeps/mixed/export/cells.exe',
    '/sweeps/mixed/export/toString.csv', '/sweeps/mixed/export/../../../etc/passwd', '/sweeps/mixed/report.html/x', '/sweeps/%27%20OR%201=1--', '/sweeps/mixed/export/cells.csv/%2e%2e', '/..%5c..%5cwindows', '/.git/config',
  ])('finds nothing at %s', async (path) => {
    const { status, body } = await get(url, path);
    expect([status, body]).toEqual([404, expect.not.stringMatching(/root:|"version"|\[core\]/)]);
  });

  it('refuses what is no path', async () => {
    for (const path of ['/%', '/%zz', '/sweeps/%c0%ae', '*']) expect([path, (await get(url, path)).status]).toEqual([path, 400]);
  });

  it('lets a page run its own script alone, and text of workers is no markup', async () => {
    const { body, headers } = await drawnPage(url, '/sweeps/mixed');
    expect(headers).toMatchObject({ 'content-security-policy': expect.stringMatching(/default-src 'none'; script-src 'self'; connect-src 'self'/) as string, 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' });
    expect(headers['content-security-policy']).not.toContain("script-src 'unsafe");
    expect(body).toContain('&lt;script&gt;alert(&quot;slot&quot;)&lt;/script&gt; died');
    expect([...body.matchAll(/<script[^>]*>/g)].map(([tag]) => tag)).toEqual(['<script type="module" src="/assets/refresh.js">']);
    for (const path of ['/', '/sweeps.json', '/nothing', '/sweeps/mixed/report.json']) expect((await get(url, path)).headers['x-content-type-options']).toBe('nosniff');
  });

  it('says nowhere how to reach the database', async () => {
    const { password, host } = new URL(database.url);
    for (const path of ['/', '/sweeps.json', '/sweeps/mixed', '/sweeps/mixed/report.json']) expect((await get(url, path)).body.includes(host) || (password !== '' && (await get(url, path)).body.includes(password))).toBe(false);
  });

  it('stays within this machine, and ends with Ctrl-C', async () => {
    const second = await serve(['mixed'], { DATABASE_URL: database.url });
    expect(new URL(second.url).hostname).toBe('127.0.0.1');
    expect(second.command.events()[0]?.['url']).toMatch(/\/sweeps\/mixed$/);
    second.command.child.kill('SIGINT');
    expect(await second.command.ended).toMatchObject({ code: 0, stderr: '' });
    await expect(get(second.url, '/')).rejects.toThrow();
  });

  it('ends with Ctrl-C while somebody downloads, and says so of a browser that has no terminal', async () => {
    const second = await serve(['--browser'], { DATABASE_URL: database.url });
    const download = get(second.url, '/sweeps/mixed/export/heads.csv').catch(() => null);
    second.command.child.kill('SIGTERM');
    const { code, stderr } = await second.command.ended;
    expect([code, stderr]).toEqual([0, 'no browser is opened: this is no terminal\n']);
    await download;
  });

  it('refuses a sweep that nobody submitted, a port that is taken, and what is none', async () => {
    const env = { DATABASE_URL: database.url };
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const refused = await Promise.all([place.run(['open', 'unheard-of'], env), place.run(['open', '--port', String(port)], env), place.run(['open', '--port', 'x'], env), place.run(['open', '--host', '203.0.113.7'], env)]);
    taken.close();
    expect(refused.map(({ code, stderr }) => [code, /\((\w+)\)/.exec(stderr)?.[1]])).toEqual([[2, 'SWEEP_UNKNOWN'], [2, 'PORT_TAKEN'], [2, 'OPTION_INVALID'], [2, 'OPTION_INVALID']]);
  });
});

describe('ropesweep open, on the embedded stack', () => {
  it('says that there are no sweeps yet, and shows the first one when it runs, to its end', async () => {
    const spec = writeSmallSweep(place.folder);
    const { command, url } = await serve([]);
    expect((await get(url, '/')).body).toContain('No sweeps yet.');
    expect(processesOf(place.folder).filter(({ args }) => args.includes('postgres'))).toEqual([]);

    const run = place.start(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[128,256,512,1024]']);
    await waitFor('the run to be submitted', () => run.events().some(({ event }) => event === 'started'));
    const refresh = { headers: { 'x-ropesweep-refresh': '1' } };
    const shown = new Set<string>();
    const ended = new AbortController();
    void run.ended.then(() => ended.abort());
    while (!ended.signal.aborted) {
      const { body } = await get(url, '/sweeps/small', refresh);
      shown.add(/<p>small: (\w+)/.exec(body)?.[1] ?? 'nothing');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const ran = await run.ended;
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(shown).toContain('running');

    // The stack is gone; what it wrote last is still seen, once.
    for (let tries = 0, body = ''; !body.includes('48 of 48 cells have ended') || !body.includes('<h2>Arms</h2>'); tries += 1) {
      expect(tries, body.slice(0, 2000)).toBeLessThan(100);
      ({ body } = await get(url, '/sweeps/small', refresh));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const again = await place.run(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[128,256,512,1024]']);
    expect([again.code, again.stderr]).toEqual([0, '']);

    command.child.kill('SIGINT');
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
    expect(processesOf(place.folder)).toEqual([]);
  });
});
