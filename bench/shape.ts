/**
 * A checkpoint of the SmolLM2-135M shape with random weights, written once as safetensors and as GGUF: every engine gets
 * the same numbers. The speed of dense float32 products does not depend on their values.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export const SHAPE = { layers: 30, width: 576, heads: 9, keyValueHeads: 3, headSize: 64, mlp: 1536, vocabulary: 49_152 } as const;

interface Weight {
  readonly hf: string;
  readonly gguf: string;
  readonly shape: readonly number[];
}

function weights(): Weight[] {
  const { width, mlp, vocabulary } = SHAPE;
  const keys = SHAPE.keyValueHeads * SHAPE.headSize;
  const layers = Array.from({ length: SHAPE.layers }, (_, layer) => {
    const of = (hf: string, gguf: string, ...shape: number[]): Weight => ({ hf: `model.layers.${layer}.${hf}.weight`, gguf: `blk.${layer}.${gguf}.weight`, shape });
    return [
      of('input_layernorm', 'attn_norm', width),
      of('self_attn.q_proj', 'attn_q', width, width),
      of('self_attn.k_proj', 'attn_k', keys, width),
      of('self_attn.v_proj', 'attn_v', keys, width),
      of('self_attn.o_proj', 'attn_output', width, width),
      of('post_attention_layernorm', 'ffn_norm', width),
      of('mlp.gate_proj', 'ffn_gate', mlp, width),
      of('mlp.up_proj', 'ffn_up', mlp, width),
      of('mlp.down_proj', 'ffn_down', width, mlp),
    ];
  });
  return [
    { hf: 'model.embed_tokens.weight', gguf: 'token_embd.weight', shape: [vocabulary, width] },
    ...layers.flat(),
    { hf: 'model.norm.weight', gguf: 'output_norm.weight', shape: [width] },
  ];
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Norms are one, matrices uniform in [-0.05, 0.05]. */
function* values(): Generator<Buffer> {
  const random = xoroshiro128plus(1);
  for (const { shape } of weights()) {
    const data = new Float32Array(elements(shape)).fill(1);
    if (shape.length > 1) for (let index = 0; index < data.length; index += 1) data[index] = random.next() / 2 ** 32 / 10;
    yield Buffer.from(data.buffer);
  }
}

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  num_hidden_layers: SHAPE.layers,
  hidden_size: SHAPE.width,
  intermediate_size: SHAPE.mlp,
  num_attention_heads: SHAPE.heads,
  num_key_value_heads: SHAPE.keyValueHeads,
  vocab_size: SHAPE.vocabulary,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  rope_theta: 100_000,
  max_position_embeddings: 131_072,
  torch_dtype: 'float32',
};

function safetensorsHeader(): Buffer {
  let end = 0;
  const entries = weights().map(({ hf, shape }) => {
    const start = end;
    end += elements(shape) * 4;
    return [hf, { dtype: 'F32', shape, data_offsets: [start, end] }] as const;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Math.ceil(json.length / 8) * 8));
  return Buffer.concat([length, json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
}

const GGUF_ALIGNMENT = 32;
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** Value types of the GGUF specification. */
const GGUF_TYPE = { u32: 4, i32: 5, f32: 6, text: 8, array: 9 } as const;
/** Token types of the GGUF specification; llama.cpp does not load a vocabulary without the 256 bytes. */
const GGUF_TOKEN: Readonly<Record<'normal' | 'control' | 'byte', number>> = { normal: 1, control: 3, byte: 6 };
const array = (type: number, items: readonly Buffer[]): Buffer => Buffer.concat([u32(type), u64(items.length), ...items]);

/** GGUF version 3: metadata, then tensors by name, sizes from the fastest dimension on, type 0 (F32), offset. */
function ggufHeader(): Buffer {
  const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)];
  const types = tokens.map((_, id) => (id < 3 ? GGUF_TOKEN.control : GGUF_TOKEN.byte));
  while (tokens.length < SHAPE.vocabulary) types[tokens.push(`<${tokens.length}>`) - 1] = GGUF_TOKEN.normal;
  const metadata: [string, number, Buffer][] = [
    ['general.architecture', GGUF_TYPE.text, text('llama')],
    ['llama.context_length', GGUF_TYPE.u32, u32(CONFIG.max_position_embeddings)],
    ['llama.embedding_length', GGUF_TYPE.u32, u32(SHAPE.width)],
    ['llama.block_count', GGUF_TYPE.u32, u32(SHAPE.layers)],
    ['llama.feed_forward_length', GGUF_TYPE.u32, u32(SHAPE.mlp)],
    ['llama.attention.head_count', GGUF_TYPE.u32, u32(SHAPE.heads)],
    ['llama.attention.head_count_kv', GGUF_TYPE.u32, u32(SHAPE.keyValueHeads)],
    ['llama.rope.dimension_count', GGUF_TYPE.u32, u32(SHAPE.headSize)],
    ['llama.rope.freq_base', GGUF_TYPE.f32, f32(CONFIG.rope_theta)],
    ['llama.attention.layer_norm_rms_epsilon', GGUF_TYPE.f32, f32(CONFIG.rms_norm_eps)],
    ['tokenizer.ggml.model', GGUF_TYPE.text, text('llama')],
    ['tokenizer.ggml.tokens', GGUF_TYPE.array, array(GGUF_TYPE.text, tokens.map(text))],
    ['tokenizer.ggml.scores', GGUF_TYPE.array, array(GGUF_TYPE.f32, tokens.map(() => f32(0)))],
    ['tokenizer.ggml.token_type', GGUF_TYPE.array, array(GGUF_TYPE.i32, types.map(u32))],
  ];
  let offset = 0;
  const infos = weights().map(({ gguf, shape }) => {
    const info = Buffer.concat([text(gguf), u32(shape.length), ...[...shape].reverse().map(u64), u32(0), u64(offset)]);
    offset += elements(shape) * 4; // every tensor here is a multiple of the alignment
    return info;
  });
  const header = Buffer.concat([
    Buffer.from('GGUF'), u32(3), u64(infos.length), u64(metadata.length),
    ...metadata.map(([key, type, value]) => Buffer.concat([text(key), u32(type), value])),
    ...infos,
  ]);
  return Buffer.concat([header, Buffer.alloc((GGUF_ALIGNMENT - (header.length % GGUF_ALIGNMENT)) % GGUF_ALIGNMENT)]);
}

function write(file: string, header: Buffer): void {
  const handle = openSync(file, 'w');
  try {
    writeSync(handle, header);
    for (const data of values()) writeSync(handle, data);
  } finally {
    closeSync(handle);
  }
}

export interface RandomCheckpoint {
  /** config.json and model.safetensors. */
  readonly folder: string;
  readonly gguf: string;
}

/** Writes the checkpoint below `parent` unless it is there: 1.1 GB. */
export function randomCheckpoint(parent: string): RandomCheckpoint {
  const folder = join(parent, 'smollm2-135m-shape');
  const made = { folder, gguf: join(folder, 'model.gguf') };
  if (existsSync(folder)) return made;
  const unfinished = `${folder}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, 'config.json'), JSON.stringify(CONFIG));
  write(join(unfinished, 'model.safetensors'), safetensorsHeader());
  write(join(unfinished, 'model.gguf'), ggufHeader());
  renameSync(unfinished, folder);
  return made;
}
