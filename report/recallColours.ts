/**
 * The colour of a recall, in the terminal and in the figures: a ramp from dark violet (0 %) over teal to yellow (100 %).
 *
 * Luminance rises all the way, so the ramp reads in greyscale and under every colour-vision deficiency; a test holds
 * both, and the contrast of the text that {@link inkOn} chooses (WCAG 2.2, 1.4.3: at least 4.5 to 1).
 */
export interface Rgb {
  /** 0..255 each. */
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

export const RECALL_STOPS: readonly { readonly recall: number; readonly colour: Rgb }[] = [
  { recall: 0, colour: { red: 58, green: 42, blue: 104 } },
  { recall: 0.5, colour: { red: 38, green: 148, blue: 142 } },
  { recall: 1, colour: { red: 246, green: 224, blue: 88 } },
];

export const BLACK: Rgb = { red: 0, green: 0, blue: 0 };
const WHITE: Rgb = { red: 255, green: 255, blue: 255 };

/** Piecewise linear in sRGB between the stops; `recall` in 0..1. */
export function recallColour(recall: number): Rgb {
  const above = RECALL_STOPS.findIndex((stop) => recall <= stop.recall);
  const high = RECALL_STOPS.at(above);
  const low = RECALL_STOPS[Math.max(0, above - 1)];
  if (high === undefined || low === undefined || high === low) return high?.colour ?? BLACK;
  const share = (recall - low.recall) / (high.recall - low.recall);
  const between = (a: number, b: number): number => Math.round(a + share * (b - a));
  return {
    red: between(low.colour.red, high.colour.red),
    green: between(low.colour.green, high.colour.green),
    blue: between(low.colour.blue, high.colour.blue),
  };
}

/** Relative luminance of an sRGB colour, 0..1 (WCAG 2.2, IEC 61966-2-1 transfer curve). */
export function luminance({ red, green, blue }: Rgb): number {
  const linear = (channel: number): number => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** Black or white, whichever stands out more: (L1 + 0.05) / (L2 + 0.05) is equal for both at L = 0.179. */
export const inkOn = (background: Rgb): Rgb => (luminance(background) > 0.179 ? BLACK : WHITE);

export const hex = ({ red, green, blue }: Rgb): string =>
  `#${[red, green, blue].map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
