import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { generateSchemas } from '../../planner/jsonSchema.js';

describe('the JSON Schema of sweep files', () => {
  it('is committed as it is generated', async () => {
    for (const [file, text] of Object.entries(generateSchemas())) expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('is what the demo points its editor to', async () => {
    expect((await readFile('sweeps/demo.yaml', 'utf8')).split('\n')[0]).toBe('# yaml-language-server: $schema=../docs/schema/sweep.schema.json');
  });
});
