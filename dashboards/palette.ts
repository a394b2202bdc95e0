/**
 * Colours that people with any colour vision can tell apart (Okabe & Ito 2008), on light and dark.
 *
 * Series of arms are named with the arm's place first (`01 none`), so an arm has the same colour in every panel whichever
 * other arms are shown; from the ninth on lines are dashed.
 */
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';

export const COLOURS = {
  blue: '#0072B2',
  orange: '#E69F00',
  green: '#009E73',
  pink: '#CC79A7',
  sky: '#56B4E9',
  vermilion: '#D55E00',
  yellow: '#F0E442',
  grey: '#999999',
} as const;
export type Colour = (typeof COLOURS)[keyof typeof COLOURS];

export const fixedColour = (colour: Colour): DynamicConfigValue => ({ id: 'color', value: { mode: 'fixed', fixedColor: colour } });

/** Arms that have a colour and line of their own. */
const ARMS = 24;
const LINES = [{ fill: 'solid' }, { fill: 'dash', dash: [10, 10] }, { fill: 'dot', dash: [0, 10] }] as const;

/** SQL: `01 none`, of an arm's ordinal (from 0) and label. */
export const armSeries = (ordinal: string, label: string): string => `lpad((${ordinal} + 1)::text, 2, '0') || ' ' || ${label}`;

/** Which series are arms, and how each is drawn. */
export function armOverrides(): { readonly regexp: string; readonly properties: DynamicConfigValue[] }[] {
  const colours = Object.values(COLOURS);
  return Array.from({ length: ARMS }, (_, place) => ({
    regexp: `/^${String(place + 1).padStart(2, '0')} /`,
    properties: [
      fixedColour(colours[place % colours.length] ?? COLOURS.grey),
      { id: 'custom.lineStyle', value: LINES[Math.floor(place / colours.length)] },
    ],
  }));
}
