/** Small GGUF files of keys alone, for what reading them says. Layout: ggml's docs/gguf.md. */
import { GGUFValueType } from '@huggingface/gguf';

export type GgufKeys = Readonly<Record<string, string | number | boolean | readonly string[] | readonly number[]>>;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** Type and bytes of one value; whole numbers become UINT32, others FLOAT32. */
function value(one: string | number | boolean): [GGUFValueType, Buffer] {
  if (typeof one === 'string') return [GGUFValueType.STRING, text(one)];
  if (typeof one === 'boolean') return [GGUFValueType.BOOL, Buffer.from([one ? 1 : 0])];
  return Number.isInteger(one) && one >= 0 ? [GGUFValueType.UINT32, u32(one)] : [GGUFValueType.FLOAT32, f32(one)];
}

const list = (values: readonly (string | number)[]): Buffer => {
  const whole = values.every((one) => typeof one === 'number' && Number.isInteger(one) && one >= 0);
  const type = typeof values[0] === 'string' ? GGUFValueType.STRING : whole ? GGUFValueType.INT32 : GGUFValueType.FLOAT32;
  const elements = values.map((one) => (typeof one === 'string' ? text(one) : whole ? u32(one) : f32(one)));
  return Buffer.concat([u32(type), u64(values.length), ...elements]);
};

export function ggufBytes(keys: GgufKeys): Buffer {
  const entries = Object.entries(keys).map(([key, one]) => {
    const [type, bytes] = typeof one === 'object' ? [GGUFValueType.ARRAY, list(one)] : value(one);
    return Buffer.concat([text(key), u32(type), bytes]);
  });
  return Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(entries.length), ...entries]);
}
