/** Numbers as the plan prints them. */
export const number = (value: number): string => value.toLocaleString('en-US');

/** Memory, in the unit that devices are sold by: `73.3 GiB`. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;

const POWERS = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'];

/** Three digits and the power of a thousand: `1.23 GB`. */
export function scaled(value: number, unit: string): string {
  const power = value < 1000 ? 0 : Math.min(POWERS.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toPrecision(3)} ${POWERS[power] ?? ''}${unit}`;
}
