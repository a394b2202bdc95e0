/**
 * Colours that people with any colour vision can tell apart (Okabe & Ito 2008), on light and dark. Grafana's own palette is not
 * of that kind, and colours can be given to names only.
 *
 * So series are named with their place first (`01 none`): an arm has the same colour in every panel whichever other arms are
 * shown. From the ninth on lines are dashed, from the 17th dotted.
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

/** Series that have a colour and line of their own. */
const SERIES = 24;
const LINES = [{ fill: 'solid' }, { fill: 'dash', dash: [10, 10] }, { fill: 'dot', dash: [0, 10] }] as const;

/** SQL: `01 none`, of a place from 1 and a name. */
export const numbered = (place: string, name: string): string => `lpad((${place})::text, 2, '0') || ' ' || ${name}`;

/** How each of the numbered series is drawn. */
export function numberedOverrides(): { readonly regexp: string; readonly properties: DynamicConfigValue[] }[] {
  const colours = Object.values(COLOURS);
  return Array.from({ length: SERIES }, (_, place) => ({
    regexp: `/^${String(place + 1).padStart(2, '0')} /`,
    properties: [
      fixedColour(colours[place % colours.length] ?? COLOURS.grey),
      { id: 'custom.lineStyle', value: LINES[Math.floor(place / colours.length)] },
    ],
  }));
}
