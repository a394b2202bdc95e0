/** What Linux tells of the machine in files; elsewhere they are empty. */
import { readFileSync } from 'node:fs';

export function readSystemFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** `1024K`; empty where nobody tells. */
export const l2CacheSize = (): string => readSystemFile('/sys/devices/system/cpu/cpu0/cache/index2/size').trim();

const BYTES: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20 };

/** null where nobody tells. */
export function l2CacheBytes(): number | null {
  const [, count, unit = ''] = /^(\d+)([KM])$/.exec(l2CacheSize()) ?? [];
  return count === undefined ? null : Number(count) * (BYTES[unit] ?? 1);
}
