/**
 * SQL for the style of a heat-map cell: CSS as JSON text, as the table panel's style field takes it.
 *
 * The ramp is the one of terminal and report (dark violet over teal to yellow, luminance rising all the way, so it reads
 * in greyscale and under every colour-vision deficiency); a test holds the two together.
 */

/** Red, green, blue at recall 0, 0.5 and 1. */
export const RECALL_STOPS = [
  [58, 42, 104],
  [38, 148, 142],
  [246, 224, 88],
] as const;

/** Below it white text stands out more on the ramp, above it black (relative luminance 0.179). */
export const BLACK_INK_FROM_RECALL = 0.41;

const channel = (index: 0 | 1 | 2, recall: string): string => {
  const [low, middle, high] = RECALL_STOPS.map((stop) => stop[index]) as [number, number, number];
  const between = (from: number, to: number, share: string) => `${from} + (${to - from}) * (${share})`;
  return `round(CASE WHEN ${recall} <= 0.5 THEN ${between(low, middle, `${recall} * 2`)} ELSE ${between(middle, high, `${recall} * 2 - 1`)} END)::int`;
};

/** SQL: `rgb(58, 42, 104)` for an expression with a recall in 0..1. */
export const backgroundSql = (recall: string): string =>
  `format('rgb(%s, %s, %s)', ${channel(0, recall)}, ${channel(1, recall)}, ${channel(2, recall)})`;

/** SQL: the colour of text and lines on that background. */
export const inkSql = (recall: string): string => `CASE WHEN ${recall} >= ${BLACK_INK_FROM_RECALL} THEN '#000000' ELSE '#ffffff' END`;
