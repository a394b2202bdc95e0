import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import type { SweepSpec } from '../../domain/spec.js';
import { parseSpec, readSpec } from '../../planner/parse.js';
import { placesOf } from '../../planner/places.js';
import { DEMO } from './demoSweep.js';

const demo = await readFile(DEMO, 'utf8');
const parse = (text: string, ...set: string[]): SweepSpec => parseSpec(text, { file: 'sweep.yaml', set });

function refusal(text: string, ...set: string[]): RopesweepError {
  try {
    parse(text, ...set);
  } catch (error) {
    if (error instanceof RopesweepError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** `place what | mend` of every problem. */
const sentences = (error: RopesweepError): string[] => error.problems.map(({ where, what, mend }) => `${where}: ${what} | ${mend ?? ''}`);

const BROKEN = `name: Bad Name
modl: {}
model:
  name: x
  base: base
  continued: a/{metod}-{length}
methods:
  - {name: yarm, factor: 3}
  - yarn
  - {name: pi, factr: 3}
  - {name: yarn, factor: 0.5}
contextTokens: [-1, 2.5, x, 128, 128]
tasks:
  - kind: needle
    depths: 0.5
    seeds: [1, 1]
    haystack: {kind: markv}
    needle: {kind: symbols, answerToken: 4}
    probes: head
`;

describe('a sweep file', () => {
  it('parses with defaults filled in', () => {
    const spec = parse(demo);
    expect(spec.methods.map((method) => method.name)).toEqual(['none', 'pi', 'ntk', 'yarn']);
    expect(spec.continualPretrainContextTokens).toEqual([null, 256, 1024]);
    expect(spec.tasks[0]).toMatchObject({ probes: 'heads', template: { headIds: [0] }, needle: { needleMarkId: 1, answerTokens: 4 } });
    expect([spec.dtype, spec.deviceClass, spec.cellLimit]).toEqual(['auto', 'cpu', 100_000]);
  });

  it('whose sliding windows would leave tokens out is refused', () => {
    const task = (windows: string) => demo.slice(0, demo.indexOf('tasks:')) + `tasks: [{kind: perplexity, contextTokens: [64, 128], documents: {kind: text, path: x}, windows: ${windows}}]\n`;
    expect(sentences(refusal(task('{kind: sliding, strideTokens: 64}')))).toEqual([
      expect.stringMatching(/tasks\[0\]\.windows\.strideTokens: windows of 64 tokens that start every 64 leave tokens out \| Use fewer than 64, or windows: \{ kind: disjoint \}\.$/),
    ]);
    expect(parse(task('{kind: sliding, strideTokens: 63}')).tasks).toHaveLength(1);
  });

  it('may be JSON', () => {
    expect(parse(JSON.stringify(parse(demo)))).toEqual(parse(demo));
  });

  it('is told everything that is wrong at once, in the order of the file, with line, column, path and what is right', () => {
    const error = refusal(BROKEN);
    expect([error.code, error.exitCode]).toEqual(['SPEC_INVALID', 2]);
    expect(sentences(error)).toEqual([
      'sweep.yaml:1:1 name: "Bad Name" does not fit | Use lower-case letters, digits and dashes, starting with a letter or digit, at most 63 characters.',
      expect.stringMatching(/^sweep\.yaml:2:1 modl: "modl" is not known here \| Did you mean model\? Known: name, description, model, /),
      'sweep.yaml:6:3 model.continued: the pattern holds {metod}, which means nothing | Use {method}, {length} and {factor}.',
      'sweep.yaml:8:6 methods[0].name: unknown method "yarm" | Did you mean yarn? Known: none, pi, ntk, dynamic-ntk, yarn, longrope, llama3, custom.',
      'sweep.yaml:9:5 methods[1]: "yarn" needs parameters | Write {name: yarn, factor: 8}; only none stands alone.',
      'sweep.yaml:10:16 methods[2].factr: "factr" is not known here | Did you mean factor? Known: name, factor, targetContextTokens.',
      'sweep.yaml:11:18 methods[3].factor: 0.5 is too small | It must be >= 1.',
      'sweep.yaml:12:17 contextTokens[0]: -1 is too small | It must be > 0.',
      'sweep.yaml:12:21 contextTokens[1]: 2.5 is not a whole number | Write a whole number.',
      'sweep.yaml:12:26 contextTokens[2]: "x" is not a number | Write a number.',
      'sweep.yaml:12:34 contextTokens[4]: 128 stands twice in this list (first as number 4) | Leave one of them out.',
      'sweep.yaml:15:5 tasks[0].depths: 0.5 is not a list | Write it as a list: [0.5].',
      'sweep.yaml:16:16 tasks[0].seeds[1]: 1 stands twice in this list (first as number 1) | Leave one of them out.',
      'sweep.yaml:17:16 tasks[0].haystack.kind: unknown haystack kind "markv" | Did you mean markov? Known: markov, noise, text.',
      expect.stringMatching(/^sweep\.yaml:18:29 tasks\[0\]\.needle\.answerToken: "answerToken" is not known here \| Did you mean answerTokens\?/),
      'sweep.yaml:19:5 tasks[0].probes: "head" is not one of heads, summary | Did you mean heads? Known: heads, summary.',
    ]);
  });

  it('is told of keys that are missing', () => {
    expect(sentences(refusal('name: a\nmethods: []\ntasks:\n  - depths: [0]\n'))).toEqual([
      'sweep.yaml:1:1 contextTokens: it is missing | Write a list.',
      'sweep.yaml:1:1 model: it is missing | Write model: {name, base}, or models: a list of them.',
      'sweep.yaml:2:1 methods: the list is empty | Give at least 1.',
      'sweep.yaml:4:5 tasks[0].kind: the task kind is missing | Known: needle, perplexity, attention.',
    ]);
  });

  it('that is no YAML is refused with the line, and nothing more is said', () => {
    const error = refusal('name: demo\nmodel: [a\nmethods: b\n');
    expect([error.code, error.exitCode]).toEqual(['SPEC_SYNTAX', 2]);
    expect(error.problems[0]?.where).toBe('sweep.yaml:3:1');
    expect(refusal('name: a\nname: b\n').message).toBe('sweep.yaml:2:1: Map keys must be unique');
    expect(refusal('name: *nowhere\n').code).toBe('SPEC_SYNTAX');
  });

  it('that is empty or a list is told how a sweep file begins', () => {
    for (const text of ['', '# only a comment\n', '- a\n', 'text']) {
      const error = refusal(text);
      expect(error.code).toBe('SPEC_INVALID');
      expect(error.problems[0]?.mend).toContain('sweeps/demo.yaml');
    }
  });

  it('that cannot be read is named', async () => {
    await expect(readSpec('sweeps/nowhere.yaml')).rejects.toMatchObject({ code: 'SPEC_UNREADABLE', message: 'sweeps/nowhere.yaml: there is no such file' });
    await expect(readSpec('sweeps')).rejects.toMatchObject({ code: 'SPEC_UNREADABLE' });
  });

  it('survives aliases that would grow without end', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'.charAt(index)}`).join(',')}]`)].join('\n');
    expect(refusal(bomb).code).toBe('SPEC_SYNTAX');
  });

  it('remembers where each value stands, for messages of later steps', () => {
    const places = placesOf(parse(demo, 'tasks[0].depths=[0,1]'));
    expect(places(['model', 'base'])).toMatch(/^sweep\.yaml:\d+:3 model\.base$/);
    expect(places(['tasks', 0, 'depths', 1])).toBe('--set tasks[0].depths=[0,1]: tasks[0].depths[1]');
    expect(placesOf({ ...parse(demo) })(['tasks', 0, 'depths', 1])).toBe('tasks[0].depths[1]');
  });
});

describe('--set', () => {
  it('changes values by dotted and by indexed paths, in the order given', () => {
    const spec = parse(demo, 'contextTokens=[128,256]', 'tasks[0].depths=[0,1]', 'tasks.0.seeds=[7]', 'methods[3].factor=16', 'methods[3].factor=4', 'tasks[0].template.headIds=[]', 'model.originalContextTokens=64');
    expect(spec.contextTokens).toEqual([128, 256]);
    expect(spec.tasks[0]).toMatchObject({ depths: [0, 1], seeds: [7], template: { headIds: [] } });
    expect(spec.methods[3]).toMatchObject({ name: 'yarn', factor: 4 });
    expect(spec.model?.originalContextTokens).toBe(64);
  });

  it('takes any YAML as value and may add an entry at the end of a list', () => {
    expect(parse(demo, 'continualPretrainContextTokens=[null]').continualPretrainContextTokens).toEqual([null]);
    expect(parse(demo, 'methods[4]={name: ntk, base: 1e6}').methods[4]).toEqual({ name: 'ntk', base: 1e6 });
    expect(parse(demo, 'description=a=b').description).toBe('a=b');
  });

  it('with a mistyped key or a wrong value is named as the user wrote it, with what was meant', () => {
    expect(sentences(refusal(demo, 'contxtTokens=[5]', 'tasks[0].depths=[2]'))).toEqual([
      expect.stringMatching(/^--set contxtTokens=\[5\]: "contxtTokens" is not known here \| Did you mean contextTokens\?/),
      '--set tasks[0].depths=[2]: tasks[0].depths[0]: 2 is too large | It must be <= 1.',
    ]);
  });

  it('that is no assignment, names no place or is no YAML is refused, all at once', () => {
    const error = refusal(demo, 'contextTokens', 'tasks[3].depths=[1]', 'name.x=3', 'tasks.depths=[1]', 'a b=3', 'seeds=[1');
    expect([error.code, error.exitCode]).toEqual(['OPTION_INVALID', 2]);
    expect(error.problems.map(({ what }) => what)).toEqual([
      'there is no =',
      'tasks has 2 entries, so there is no number 3',
      'name is "demo", which holds nothing inside',
      'tasks is a list',
      '"a b" is not a path in the sweep file',
      expect.stringMatching(/^the value is not YAML: /),
    ]);
  });
});
