/**
 * SQL for the style of a heat-map cell: CSS as JSON text, as the table panel's style field takes it.
 *
 * The ramp of recall is the one of terminal and report (dark violet over teal to yellow, luminance rising all the way, so it
 * reads in greyscale and under every colour-vision deficiency); a test holds the two together. The ramp of differences goes
 * from vermilion over white to blue, which every colour-vision deficiency tells apart.
 */

type Stop = readonly [red: number, green: number, blue: number];
type Stops = readonly [Stop, Stop, Stop];

/** Red, green, blue at recall 0, 0.5 and 1. */
export const RECALL_STOPS: Stops = [
  [58, 42, 104],
  [38, 148, 142],
  [246, 224, 88],
];
/** At a difference of -1, 0 and 1. */
export const DIFFERENCE_STOPS: Stops = [
  [213, 94, 0],
  [247, 247, 247],
  [0, 114, 178],
];

/** Below it white text stands out more on the ramp of recall, above it black (relative luminance 0.179). */
export const BLACK_INK_FROM_RECALL = 0.41;
/** From it on white text stands out more on blue; on vermilion black always does. */
export const WHITE_INK_FROM_DIFFERENCE = 0.93;

const channel = (stops: Stops, index: 0 | 1 | 2, share: string): string => {
  const [low, middle, high] = stops.map((stop) => stop[index]) as [number, number, number];
  const between = (from: number, to: number, part: string) => `${from} + (${to - from}) * (${part})`;
  return `round(CASE WHEN ${share} <= 0.5 THEN ${between(low, middle, `${share} * 2`)} ELSE ${between(middle, high, `${share} * 2 - 1`)} END)::int`;
};

const rgb = (stops: Stops, share: string): string =>
  `format('rgb(%s, %s, %s)', ${channel(stops, 0, share)}, ${channel(stops, 1, share)}, ${channel(stops, 2, share)})`;

/** SQL: `rgb(58, 42, 104)` for an expression with a recall in 0..1. */
export const backgroundSql = (recall: string): string => rgb(RECALL_STOPS, recall);

/** SQL: the colour of text and lines on that background. */
export const inkSql = (recall: string): string => `CASE WHEN ${recall} >= ${BLACK_INK_FROM_RECALL} THEN '#000000' ELSE '#ffffff' END`;

/** The same for an expression with a difference in -1..1. */
export const differenceBackgroundSql = (difference: string): string => rgb(DIFFERENCE_STOPS, `((${difference} + 1) / 2)`);
export const differenceInkSql = (difference: string): string => `CASE WHEN ${difference} >= ${WHITE_INK_FROM_DIFFERENCE} THEN '#ffffff' ELSE '#000000' END`;
