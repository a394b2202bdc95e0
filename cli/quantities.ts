/** Numbers as the plan prints them. */
export const number = (value: number): string => value.toLocaleString('en-US');

const POWERS = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'];

/** Three digits and the power of a thousand: `1.23 GB`. */
export function scaled(value: number, unit: string): string {
  const power = value < 1000 ? 0 : Math.min(POWERS.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toPrecision(3)} ${POWERS[power] ?? ''}${unit}`;
}
