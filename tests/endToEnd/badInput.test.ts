import { copyFileSync, cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../infra/packageRoot.js';
import { measured, openPlace, processesOf, waitFor, type Place } from './command.js';
import { writeSmallSweep } from './smallSweep.js';

let place: Place;
let spec: string;
beforeAll(async () => {
  place = await openPlace();
  spec = writeSmallSweep(place.folder);
});
afterAll(() => place.remove());

/** The sweep file with one line changed. */
function changed(name: string, from: string | RegExp, to: string): string {
  const file = join(place.folder, `${name}.yaml`);
  writeFileSync(file, readFileSync(spec, 'utf8').replace(from, to));
  return file;
}

/** A copy of the base checkpoint that a test may damage, and the sweep file that names it. */
function withCheckpoint(name: string): { folder: string; file: string } {
  const folder = join(place.folder, name);
  cpSync(packageFile('models', 'starter', 'base'), folder, { recursive: true });
  return { folder, file: changed(name, /base: .*/, `base: ${folder}`) };
}

async function refused(file: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stderr, stdout } = await place.run(['run', file, '--json'], env);
  expect(code, stderr + stdout).toBe(2);
  // One message, for a person: no stack trace, nothing started, nothing left running.
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(stdout).not.toContain('"event":"planned"');
  expect(processesOf(place.folder)).toEqual([]);
  return stderr;
}

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

describe('bad input is refused with one clear message and exit code 2, before anything starts', () => {
  it('an unknown method, with the place in the file and the method that was meant', async () => {
    const message = await refused(changed('method', 'name: ntk', 'name: nkt'));
    expect(message).toMatch(/method\.yaml:\d+:\d+ methods\[1\]/);
    expect(message).toContain('ntk');
  });

  it('a negative context, together with every other mistake in the file', async () => {
    const message = await refused(changed('negative', 'contextTokens: [128, 256, 512]', 'contextTokens: [128, -256, 512]\nseedz: 3'));
    expect(message).toContain('contextTokens[1]');
    expect(message).toContain('seedz');
  });

  it('a missing checkpoint', async () => {
    const message = await refused(changed('missing', /base: .*/, `base: ${place.folder}/nowhere`));
    expect(message).toContain('CHECKPOINT_MISSING');
    expect(message).toContain('nowhere');
  });

  it('a truncated safetensors file', async () => {
    const { folder, file } = withCheckpoint('truncated');
    truncateSync(join(folder, 'model.safetensors'), 700_000);
    const message = await refused(file);
    expect(message).toContain('CHECKPOINT_INVALID');
    expect(message).toContain('model.safetensors');
  });

  it('a config.json that does not fit the weights', async () => {
    const { folder, file } = withCheckpoint('wrong-config');
    const config = join(folder, 'config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"hidden_size": 96', '"hidden_size": 128'));
    expect(await refused(file)).toMatch(/CHECKPOINT_INVALID[\s\S]*(shape|96|128)/);
  });

  it('a configured port that is taken', async () => {
    const { server, port } = await listen();
    try {
      const message = await refused(spec, { ROPESWEEP_POSTGRES_PORT: String(port) });
      expect(message).toContain('PORT_TAKEN');
      expect(message).toContain(String(port));
    } finally {
      server.close();
    }
  });

  it('a home folder that cannot be written', async () => {
    const file = join(place.folder, 'a-file');
    writeFileSync(file, '');
    expect(await refused(spec, { ROPESWEEP_HOME: join(file, 'home') })).toContain('FOLDER_UNWRITABLE');
  });

  it('servers that do not answer', async () => {
    const { server, port } = await listen();
    server.close();
    const message = await refused(spec, { DATABASE_URL: `postgresql://nobody:secret@127.0.0.1:${String(port)}/none`, TEMPORAL_ADDRESS: `127.0.0.1:${String(port)}` });
    expect(message).toContain('SERVER_UNREACHABLE');
    expect(message).toContain(String(port));
    expect(message).not.toContain('secret');
  });

  it('bringing a stack up where a sweep runs, with its pid', async () => {
    const first = place.start(['run', spec, '--json', '--set', 'contextTokens=[2048,3072,4096]', '--slots', '1']);
    await waitFor('the first cells', () => measured(first) >= 1);
    const { code, stderr, stdout } = await place.run(['up', '--foreground']);
    expect(code).toBe(2);
    expect(stderr).toContain('STACK_LOCKED');
    expect(stderr).toContain(String(first.pid));
    expect(stdout).toBe('');
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(3);
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('malformed YAML, with line and column', async () => {
    const message = await refused(changed('yaml', 'methods: [none', 'methods: [none, {'));
    expect(message).toContain('SPEC_SYNTAX');
    expect(message).toMatch(/yaml\.yaml:\d+:\d+/);
  });

  it('a file that is not there, an unknown key of --set, an unknown option and an unknown sweep', async () => {
    expect(await refused(join(place.folder, 'none.yaml'))).toContain('SPEC_UNREADABLE');
    expect((await place.run(['run', spec, '--set', 'contextTokenz=[1]'])).stderr).toContain('contextTokens');
    expect((await place.run(['run', spec, '--set', 'contextTokenz=[1]'])).code).toBe(2);
    expect((await place.run(['run', spec, '--nonsense'])).code).toBe(2);
    expect((await place.run(['report', 'nothing'])).code).toBe(2);
  });

  it('a path that leaves the configured roots', async () => {
    const message = await refused(spec, { ROPESWEEP_ROOTS: join(place.folder, 'elsewhere') });
    expect(message).toContain('PATH_OUTSIDE_ROOTS');
  });

  it('a haystack that is no haystack', async () => {
    mkdirSync(join(place.folder, 'haystacks'), { recursive: true });
    copyFileSync(packageFile('package.json'), join(place.folder, 'haystacks', 'filler.json'));
    const message = await refused(changed('haystack', /file: .*filler\.json/, `file: ${place.folder}/haystacks/filler.json`));
    expect(message).toContain('haystacks/filler.json');
  });
});
