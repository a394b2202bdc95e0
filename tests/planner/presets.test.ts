import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { planText } from '../../cli/plan.js';
import { planWithForecast, readSweepFile, refuseMissing } from '../../cli/planning.js';

const plain = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, '');

/** Cells with weights that are not here, arms and lengths as in the paper; and cells of the small family. */
const PRESETS = [
  { name: 'zhong2025-needle', cells: 7 * 41 * 10, small: 560 },
  { name: 'zhong2025-pretrain', cells: 2 * 41 * 10, small: 160 },
  { name: 'zhong2025-perplexity', cells: 7 * 10, small: 21 },
  { name: 'zhong2025-attention', cells: 7 * 2, small: 14 },
] as const;

/** The --set options of the command in the head of a sweep file. */
function commandSets(file: string): string[] {
  const head = readFileSync(file, 'utf8').split('\n');
  const first = head.findIndex((line) => line.startsWith('#   ropesweep run '));
  const rest = head.slice(first);
  const command = rest.slice(0, rest.findIndex((line) => !line.endsWith('\\')) + 1).join(' ');
  return [...command.matchAll(/--set (?:'([^']*)'|(\S+))/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

describe('the sweeps of Zhong et al.', () => {
  for (const { name, cells, small } of PRESETS) {
    const file = `sweeps/${name}.yaml`;

    it(`${name} is planned without weights, and running it names every folder that is missing`, async () => {
      const sweepFile = await readSweepFile(file, []);
      const { plan, forecasts, dearest, refinement } = await planWithForecast(sweepFile, null);
      expect(plan.counts).toMatchObject({ total: cells, new: cells, infeasible: 0 });
      const text = plain(planText({ plan, forecasts, dearest, refinement }));
      expect(text).toContain('provisional: the weights are not here');
      const folders = [...new Set(plan.arms.map(({ checkpoint }) => checkpoint.folder))];
      for (const folder of folders) expect(text).toContain(folder);
      expect(() => refuseMissing(sweepFile)).toThrow(expect.objectContaining({ code: 'CHECKPOINT_MISSING', problems: folders.map((where) => expect.objectContaining({ where }) as unknown) }));
    });

    it(`${name} is planned on the small family by the command in its head`, async () => {
      const sets = commandSets(file);
      expect(sets).toContain(`name=${name}-small`);
      const sweepFile = await readSweepFile(file, sets);
      expect(sweepFile.missingFolders).toEqual([]);
      const { plan } = await planWithForecast(sweepFile, null);
      expect(plan.counts).toMatchObject({ total: small, new: small });
      expect(new Set(plan.cells.map((cell) => cell.key)).size).toBe(small);
    });
  }
});

describe('a plan at 131,072 tokens', () => {
  for (const [model, trained] of [['llama-2-7b', 4096], ['llama-2-13b', 4096], ['llama-3-8b', 8192]] as const) {
    it(`of ${model} prints peak memory and GPU-hours of every class, and says that their rates are assumed`, async () => {
      const sets = [`model={name: ${model}, base: ../models/${model}, config: ../models/configs/${model}}`, 'continualPretrainContextTokens=[null]', 'contextTokens=[131072]'];
      const { plan, forecasts, dearest, refinement } = await planWithForecast(await readSweepFile('sweeps/zhong2025-needle.yaml', sets), null);
      expect(plan.arms[0]?.originalContextTokens).toBe(trained);
      const byClass = new Map(forecasts.map((forecast) => [forecast.deviceClass, forecast]));
      expect([...byClass.keys()]).toEqual(['cpu', 'cuda-24', 'cuda-40', 'cuda-80', 'cuda-141']);
      const text = plain(planText({ plan, forecasts, dearest, refinement }));
      for (const name of ['cuda-24', 'cuda-40', 'cuda-80', 'cuda-141']) {
        expect(text).toMatch(new RegExp(`│ ${name} +│ \\w+ +│ +[\\d.]+ GiB │ +\\d+ of 40 │ +[\\d,]+ │ +[\\d,]+ │ +(-|[\\d.,]+) │ +\\d+(\\.\\d+)? TFLOP/s assumed │`));
      }
      expect(text).toContain('assumed: no cell of these checkpoints was measured on the class');
      for (const { peakBytes, infeasible, memoryBytes, hours, cells } of byClass.values()) {
        if (memoryBytes === null) continue;
        expect(infeasible).toBe(peakBytes > memoryBytes ? cells : 0);
        expect(hours === null).toBe(infeasible === cells);
      }
      console.log(`${model} at 131,072 tokens: ${forecasts.map(({ deviceClass, peakBytes, hours }) => `${deviceClass} ${(peakBytes / 2 ** 30).toFixed(1)} GiB ${hours === null ? '-' : `${hours.toFixed(2)} h`}`).join(', ')}`);
    });
  }
});
