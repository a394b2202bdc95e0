/** What tells lists of numbers apart in a label. */
import { digest } from '../domain/identity.js';

/** Six hexadecimal digits. */
export const shortDigest = (lists: readonly (readonly number[])[]): string => digest(lists).slice(0, 6);
