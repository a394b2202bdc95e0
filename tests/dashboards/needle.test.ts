import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { BLACK_INK_FROM_RECALL, DIFFERENCE_STOPS, RECALL_STOPS, WHITE_INK_FROM_DIFFERENCE } from '../../dashboards/recallStyle.js';
import type { Plan } from '../../domain/plan.js';
import { hex, inkOn, recallColour, RECALL_STOPS as REPORT_STOPS } from '../../report/recallColours.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { expand } from './grafanaSql.js';
import { generatedDashboards, type Panel } from './proof.js';
import { dropRole, readAs } from './reader.js';
import { fillTaskStore } from './taskStore.js';

const needle = generatedDashboards().get('needle');

describe('the ramps of the heat maps', () => {
  it('colour recall as terminal and report do', () => {
    expect(RECALL_STOPS).toEqual(REPORT_STOPS.map(({ colour }) => [colour.red, colour.green, colour.blue]));
    const ink = (recall: number) => hex(inkOn(recallColour(recall)));
    expect([ink(BLACK_INK_FROM_RECALL - 0.01), ink(BLACK_INK_FROM_RECALL)]).toEqual(['#ffffff', '#000000']);
  });
});

describe('queries of the needle dashboard, as the read-only login', () => {
  const role = { name: `needle_${process.pid}_${Date.now()}`, password: 'read' };
  let database: TestDatabase;
  let reader: pg.Client;
  let plan: Plan;
  beforeAll(async () => {
    database = await freshDatabase();
    plan = await fillTaskStore(database.url);
    reader = await readAs(database.url, role);
  });
  afterAll(async () => {
    await reader.end();
    await dropRole([database.url], role);
    await database.drop();
  });

  const panel = (title: RegExp): Panel => {
    const found = needle?.panels.find((one) => title.test(one.title));
    if (found === undefined) throw new Error(`no panel ${String(title)}`);
    return found;
  };
  const run = async (rawSql: string, arm = plan.arms[0]?.id ?? '', other = '') =>
    (await reader.query<Record<string, unknown>>(expand(rawSql, { sweep: 'shown', task: '0', arm, arm_a: arm, arm_b: other }))).rows;

  it('give the heat map a text and a style for every square, in the order of lengths and depths', async () => {
    const [text, style] = panel(/^Needle recall/).targets;
    if (text === undefined || style === undefined) throw new Error('the panel has two queries');
    // The arm that is continued at 512, with L0 = 256.
    const arm = plan.arms[1];
    const texts = await run(text.rawSql, arm?.id);
    const styles = await run(style.rawSql, arm?.id);
    expect(texts.slice(0, 6).map((row) => row['value'])).toEqual(['depth %', '128', '256', '512', '1k', '2k']);
    expect(texts.filter((row) => row['name'] === 'v00').map((row) => row['value'])).toEqual(['depth %', '0', '50', '100']);
    expect(texts).toHaveLength(4 * 6);
    expect(styles).toHaveLength(4 * 5);
    const at = (line: number, name: string) => {
      const row = styles.find((one) => Number(one['line']) === line && one['name'] === name);
      return JSON.parse(String(row?.['value'])) as Record<string, string>;
    };
    // Dotted where the trained context ends (right of 256), dashed where the continued one does (right of 512).
    for (const line of [0, 1, 2, 3]) {
      expect(at(line, 's03')['borderLeft']).toMatch(/^2px dotted #/);
      expect(at(line, 's04')['borderLeft']).toMatch(/^2px dashed #/);
      expect([at(line, 's02')['borderLeft'], at(line, 's05')['borderLeft']]).toEqual([undefined, undefined]);
    }
    const [square] = await run(
      'SELECT recall, entropy, entropy_is_first FROM reporting.needle_heatmap WHERE sweep = ${sweep:sqlstring} AND arm_id = ${arm:sqlstring} AND context_tokens = 128 AND depth = 0.5',
      arm?.id,
    );
    const shown = String(texts.find((row) => Number(row['line']) === 2 && row['name'] === 'v01')?.['value']);
    expect(shown).toBe(Number(square?.['entropy']).toFixed(2) + (square?.['entropy_is_first'] === true ? '~' : ''));
    const colour = recallColour(Number(square?.['recall']));
    expect(at(2, 's01')).toMatchObject({ background: `rgb(${[colour.red, colour.green, colour.blue].join(', ')})`, color: hex(inkOn(colour)) });
  });

  it('mark squares without all their numbers', async () => {
    const [text] = panel(/^Needle recall/).targets;
    const held = plan.arms[0];
    const texts = (await run(text?.rawSql ?? '', held?.id)).map((row) => String(row['value']));
    for (const word of ['div', 'oom', 'fail']) expect(texts).toContain(word);
  });

  it('reach every arm with n and a Wilson interval', async () => {
    const rows = await run(panel(/Reach/).targets[0]?.rawSql ?? '');
    expect(rows.map((row) => row['Arm'])).toEqual(plan.arms.map((arm) => arm.label));
    const reached = rows.find((row) => row['Reach'] !== null && Number(row['Recall there']) === 1);
    // 6 of 6: low = n / (n + z^2) = 0.6097.
    expect(Number(reached?.['n'])).toBe(6);
    expect(Number(reached?.['Recall, low'])).toBeCloseTo(6 / (6 + 1.959964 ** 2), 12);
    expect(Number(reached?.['Recall, high'])).toBeCloseTo(1, 12);
    // Where nothing is reached, there is no interval either.
    const [unknown] = (await reader.query<Record<string, unknown>>(expand(panel(/Reach/).targets[0]?.rawSql ?? '', { sweep: 'planned', task: '0' }))).rows;
    expect(unknown).toMatchObject({ 'Reach': null, 'Recall there': null, 'Recall, low': null, 'Recall, high': null });
  });

  it('say in the tooltip what is behind a square', async () => {
    const [, , tooltip] = panel(/^Needle recall/).targets;
    const texts = (await run(tooltip?.rawSql ?? '', plan.arms[1]?.id)).map((row) => String(row['value']));
    expect(texts).toHaveLength(3 * 5);
    expect(texts[0]).toMatch(/^128 tokens, depth 0 % \| recall \d+ %: \d of n = 2 \(exactMatch\) \| entropy \d\.\d{3} nats, (generated rows|first answer row) \| NLL \d\.\d{3} nats a token \| attention on the needle \d+\.\d\d %$/);
    const held = (await run(tooltip?.rawSql ?? '', plan.arms[0]?.id)).map((row) => String(row['value']));
    expect(held.filter((text) => text.includes('1 diverged'))).toHaveLength(1);
    expect(held.filter((text) => text.includes('2 quarantined'))).toHaveLength(3);
  });

  it('compare two arms: points of recall, blue where the first is better, vermilion where the second is', async () => {
    const [text, style] = panel(/less that of/).targets;
    const [first, second] = [plan.arms[1]?.id ?? '', plan.arms[2]?.id ?? ''];
    const texts = await run(text?.rawSql ?? '', first, second);
    const styles = await run(style?.rawSql ?? '', first, second);
    const back = await run(text?.rawSql ?? '', second, first);
    const numbers = texts.filter((row) => Number(row['line']) > 0 && row['name'] !== 'v00').map((row) => String(row['value']));
    expect(numbers).toHaveLength(3 * 5);
    // Two seeds: nothing but halves.
    for (const number of numbers) expect(['0', '+50', '-50', '+100', '-100', '·']).toContain(number);
    const opposite = back.filter((row) => Number(row['line']) > 0 && row['name'] !== 'v00').map((row) => String(row['value']).replace(/[+-]/, (sign) => (sign === '+' ? '-' : '+')));
    expect(opposite).toEqual(numbers);
    const better = texts.find((row) => /^[+-]\d/.test(String(row['value'])));
    const styled = styles.find((row) => row['line'] === better?.['line'] && String(row['name']).slice(1) === String(better?.['name']).slice(1));
    const [red, , blue] = /rgb\((\d+), (\d+), (\d+)\)/.exec(String(styled?.['value']))?.slice(1).map(Number) ?? [];
    expect(Math.sign((blue ?? 0) - (red ?? 0))).toBe(String(better?.['value']).startsWith('+') ? 1 : -1);
    const luminance = (share: number) => {
      const [from, to] = share < 0 ? [DIFFERENCE_STOPS[1], DIFFERENCE_STOPS[0]] : [DIFFERENCE_STOPS[1], DIFFERENCE_STOPS[2]];
      const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * Math.abs(share));
      return hex(inkOn({ red: mix(0), green: mix(1), blue: mix(2) }));
    };
    expect([luminance(-1), luminance(0), luminance(WHITE_INK_FROM_DIFFERENCE - 0.02), luminance(WHITE_INK_FROM_DIFFERENCE + 0.01)]).toEqual(['#000000', '#000000', '#000000', '#ffffff']);
  });
});
