/** Figures of a live view in words, for the full screen and for plain lines. */
import type { LiveFailure, LiveSweep, LiveWork } from '../../domain/live.js';
import { printable } from '../../report/terminal/paint.js';
import { duration } from '../output.js';
import { number, scaled } from '../quantities.js';
import type { Eta, Rates } from './rates.js';

/** Slow cells by the minute or the hour: 0.0042 cells/s says nothing to anybody. */
export function cellRateText(perSecond: number): string {
  if (perSecond === 0) return '0 cells/s';
  if (perSecond >= 1) return `${perSecond.toFixed(1)} cells/s`;
  return perSecond * 60 >= 1 ? `${(perSecond * 60).toFixed(1)} cells/min` : `${(perSecond * 3600).toFixed(1)} cells/h`;
}

/** Never 100 before the end. */
export const percentText = (share: number): string => `${Math.floor(share * 100)} %`;

export const etaText = (eta: Eta | null): string => (eta === null ? 'ETA -' : `ETA ${duration(eta.seconds)}`);

/** Only where it says more than the ETA: `7 min to 9 min`. */
export function etaSpreadText({ earliestSeconds, latestSeconds }: Eta): string | null {
  const [earliest, latest] = [duration(earliestSeconds), duration(latestSeconds)];
  return earliest === latest ? null : `${earliest} to ${latest}`;
}

/** Work per second, from the most telling on. */
export const workRateTexts = ({ tokensPerSecond, flopsPerSecond }: Rates): string[] =>
  flopsPerSecond === 0 ? [] : [scaled(tokensPerSecond, 'tokens/s'), scaled(flopsPerSecond, 'FLOP/s')];

export const shardsText = ({ shards: { done, leased, planned, failed } }: LiveWork): string =>
  [...(failed === 0 ? [] : [`${number(failed)} quarantined`]), `${number(leased)} running`, `${number(planned)} waiting`, `${number(done)} done`].join(', ');

export const recoveriesText = ({ recoveries }: LiveWork): string => `${number(recoveries)} ${recoveries === 1 ? 'recovery' : 'recoveries'}`;

/** Cells that ended without numbers; empty where there are none. */
export const withoutNumbers = ({ cells }: LiveSweep): string[] =>
  (['failed', 'infeasible', 'diverged'] as const).flatMap((state) => (cells[state] === 0 ? [] : [`${number(cells[state])} ${state}`]));

export const contextText = (shortest: number, longest: number): string => (shortest === longest ? String(longest) : `${shortest}-${longest}`);

/** The reason without line breaks and control characters: it may hold what a library printed. */
export const failureText = ({ armLabel, contextTokens, reason }: LiveFailure): string => printable(`${armLabel} at ${contextTokens}: ${reason}`);
