/**
 * Values of GGUF's 32-element quantisation blocks, as ggml lays them out (ggml-common.h, ggml-quants.c). Little-endian.
 *
 *   Q4_0, Q5_0, Q8_0   w_i = d (q_i - c)       c = 8, 16, 0 (q of Q8_0 is signed)
 *   Q4_1, Q5_1         w_i = d q_i + m
 *
 * d and m are half precision. Four-bit parts come in pairs: byte j holds q_j below and q_(j+16) above; the fifth bit of
 * q_i is bit i of a 32-bit word. Products are exact in float32, so each value is rounded once at most, as in ggml.
 */
import { halfValue } from './halfPrecision.js';

const BLOCK_ELEMENTS = 32;
const HALF = BLOCK_ELEMENTS / 2;

interface BlockFormat {
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Whole blocks; values has 32 places for each. */
  readonly decode: (blocks: Uint8Array, values: Float32Array) => void;
}

interface NibbleFormat {
  /** Whether an offset m follows the scale d. */
  readonly minimum: boolean;
  /** Whether 32 fifth bits stand before the nibbles. */
  readonly fifthBit: boolean;
}

/** Four or five bits a value. */
function nibbles({ minimum, fifthBit }: NibbleFormat): BlockFormat {
  const highAt = minimum ? 4 : 2;
  const lowAt = fifthBit ? highAt + 4 : highAt;
  const blockBytes = lowAt + HALF;
  const centre = minimum ? 0 : fifthBit ? 16 : 8;
  return {
    blockElements: BLOCK_ELEMENTS,
    blockBytes,
    decode(blocks, values) {
      const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
      for (let block = 0, at = 0; at < blocks.length; block += BLOCK_ELEMENTS, at += blockBytes) {
        const scale = halfValue(view.getUint16(at, true));
        const offset = minimum ? halfValue(view.getUint16(at + 2, true)) : 0;
        const high = fifthBit ? view.getUint32(at + highAt, true) : 0;
        for (let index = 0; index < HALF; index += 1) {
          const pair = view.getUint8(at + lowAt + index);
          const first = (pair & 15) | (((high >>> index) & 1) << 4);
          const second = (pair >> 4) | (((high >>> (index + HALF)) & 1) << 4);
          values[block + index] = scale * (first - centre) + offset;
          values[block + index + HALF] = scale * (second - centre) + offset;
        }
      }
    },
  };
}

const bytes: BlockFormat = {
  blockElements: BLOCK_ELEMENTS,
  blockBytes: 2 + BLOCK_ELEMENTS,
  decode(blocks, values) {
    const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
    for (let block = 0, at = 0; at < blocks.length; block += BLOCK_ELEMENTS, at += bytes.blockBytes) {
      const scale = halfValue(view.getUint16(at, true));
      for (let index = 0; index < BLOCK_ELEMENTS; index += 1) values[block + index] = scale * view.getInt8(at + 2 + index);
    }
  },
};

export const QUANTISED_BLOCKS = {
  Q4_0: nibbles({ minimum: false, fifthBit: false }),
  Q4_1: nibbles({ minimum: true, fifthBit: false }),
  Q5_0: nibbles({ minimum: false, fifthBit: true }),
  Q5_1: nibbles({ minimum: true, fifthBit: true }),
  Q8_0: bytes,
} as const satisfies Record<string, BlockFormat>;
