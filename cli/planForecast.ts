/**
 * How `plan` shows what every device class would take.
 */
import Table from 'cli-table3';
import type { ClassForecast, Rate } from '../planner/forecast.js';
import { gib, number, scaled } from './quantities.js';

const RIGHT = 'right' as const;

/** One row a class, and what its hours rest on. */
export function forecastText(forecasts: readonly ClassForecast[]): string[] {
  if (forecasts.every(({ cells }) => cells === 0)) return [];
  const table = new Table({
    head: ['device class', 'dtype', 'peak memory', 'cells that fit', 'prompt tokens', 'computed', 'hours', 'rate'],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT],
  });
  for (const forecast of forecasts) table.push(row(forecast));
  return ['', 'what is new would take, by device class (memory and hours of one device, a CPU\'s of one slot):', table.toString(), ...footnotes(forecasts)];
}

const row = ({ deviceClass, dtype, memoryBytes, peakBytes, cells, infeasible, promptTokens, distinctTokens, hours, hoursSpread, rate }: ClassForecast): string[] => [
  deviceClass,
  dtype,
  gib(peakBytes),
  memoryBytes === null ? 'memory not known' : `${number(cells - infeasible)} of ${number(cells)}`,
  number(promptTokens),
  number(distinctTokens),
  hours === null ? '-' : `${hoursText(hours)}${hoursSpread === null ? '' : ` (${hoursText(hoursSpread.least)} to ${hoursText(hoursSpread.most)})`}`,
  rate === null ? '-' : rateText(rate),
];

const hoursText = (hours: number): string => (hours < 0.01 ? '< 0.01' : hours >= 100 ? number(Math.round(hours)) : hours.toPrecision(3));
const rateText = ({ flopsPerSecond, spread }: Rate): string => `${scaled(flopsPerSecond, 'FLOP/s')} ${spread === null ? 'assumed' : `measured in ${number(spread.shards)} shards`}`;

function footnotes(forecasts: readonly ClassForecast[]): string[] {
  const measured = forecasts.some(({ hoursSpread }) => hoursSpread !== null);
  const assumed = forecasts.some(({ rate }) => rate?.measured === false);
  const unknown = forecasts.some(({ hours }) => hours === null);
  return [
    ...(measured ? ['  in brackets: hours at the rates that a tenth of the measured FLOPs exceeded, and did not reach'] : []),
    ...(assumed ? ['  assumed: no cell of these checkpoints was measured on the class; its rate is a guess, and so are its hours'] : []),
    ...(unknown ? ['  -: no cell fits, or none of these checkpoints was measured on the class and no rate is assumed for it'] : []),
  ];
}
