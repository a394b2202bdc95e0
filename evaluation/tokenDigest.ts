/** The identity of a sequence as it was fed. */
import { createHash } from 'node:crypto';

/** SHA-256 over the token ids as 32-bit little-endian integers. */
export function tokenDigest(tokens: Int32Array): string {
  const bytes = Buffer.alloc(tokens.length * 4);
  tokens.forEach((token, index) => bytes.writeInt32LE(token, index * 4));
  return createHash('sha256').update(bytes).digest('hex');
}
