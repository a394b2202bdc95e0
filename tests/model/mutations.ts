/** Seeded damage to files: the same seed makes the same file on every machine. */

/** Numbers in [0, 1), mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const pick = <Value>(random: Random, values: readonly Value[]): Value => values[below(random, values.length)] as Value;

/** Values that readers trip over: limits of number types, wrong types, names of JavaScript's own. */
const STRANGE: readonly string[] = [
  '0', '-1', '1', '2', '3', '0.5', '1e-320', '1e308', '1e999', '-1e999', '2147483647', '2147483648', '4294967296', '9007199254740993', '18446744073709551615',
  'null', 'true', 'false', '""', '"\\u0000"', '"__proto__"', '"constructor"', '"../../etc/passwd"', '"F32"', '"I64"', '"silu"', '"yarn"', '"longrope"', '"llama3"', '"qwen3"',
  '[]', '{}', '[0]', '[[]]', '[1e308, -1]', '{"rope_type": "yarn", "factor": 1e300}', '{"__proto__": {"factor": 2}}', '"x"', `"${'x'.repeat(5000)}"`,
  `${'['.repeat(3000)}${']'.repeat(3000)}`, `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`, `[${'0,'.repeat(2000)}0]`,
];

/** Bytes flipped, cut off, repeated, moved or overwritten, anywhere in the first `reach` bytes. */
export function damageBytes(bytes: Buffer, random: Random, reach = bytes.length): Buffer {
  const at = (): number => below(random, Math.max(1, Math.min(reach, bytes.length)));
  const kinds: readonly (() => Buffer)[] = [
    () => {
      const copy = Buffer.from(bytes);
      for (let flips = 1 + below(random, 8); flips > 0; flips -= 1) copy[at()] = below(random, 256);
      return copy;
    },
    () => {
      const copy = Buffer.from(bytes);
      const place = at();
      copy[place] = (copy[place] ?? 0) ^ (1 << below(random, 8));
      return copy;
    },
    () => bytes.subarray(0, at()),
    () => Buffer.concat([bytes, bytes.subarray(0, at())]),
    () => {
      const place = at();
      return Buffer.concat([bytes.subarray(0, place), Buffer.from(Array.from({ length: 1 + below(random, 16) }, () => below(random, 256))), bytes.subarray(place)]);
    },
    () => {
      const place = at();
      return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + below(random, 16))]);
    },
    () => {
      const copy = Buffer.from(bytes);
      const place = Math.min(at(), Math.max(0, copy.length - 8));
      if (copy.length >= 8) copy.writeBigUInt64LE(pick(random, [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]), place);
      return copy;
    },
  ];
  return pick(random, kinds)();
}

/** JSON in which one value somewhere is strange, missing, or stands under another name. */
export function damageJson(text: string, random: Random): string {
  // A marker is put where the strange text shall stand: JSON.stringify could not write such numbers.
  const marker = '\u0001strange\u0001';
  const json = JSON.parse(text) as unknown;
  const places: [Record<string, unknown>, string][] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(json);
  const [holder, key] = pick(random, places);
  const kind = below(random, 8);
  if (kind === 0) Reflect.deleteProperty(holder, key);
  else if (kind === 1) holder[pick(random, ['sliding_window', 'head_dim', 'rope_scaling', 'rope_parameters', 'layer_types', 'no_rope_layers', 'quantization_config', 'num_experts', '__metadata__', 'x'])] = marker;
  else holder[key] = marker;
  return JSON.stringify(json).replaceAll(JSON.stringify(marker), () => pick(random, STRANGE));
}
