/**
 * The families whose decoders are one graph with different parts: what `model_type` says beyond the fields of config.json,
 * and which fields each family heeds. Defaults are those of the configuration classes of Hugging Face transformers.
 */
import { z } from 'zod';
import type { Problem } from '../domain/errors.js';
import type { Projection } from './projection.js';

/** The fields of config.json that tell the families apart. */
export const familyShape = {
  num_hidden_layers: z.int().positive().max(1024),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: z.int().positive().nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.int().nonnegative().nullish(),
  layer_types: z.array(z.string()).nullish(),
  no_rope_layers: z.array(z.int().min(0).max(1)).nullish(),
  no_rope_layer_interval: z.int().positive().nullish(),
};
type FamilyFields = z.infer<z.ZodObject<typeof familyShape>>;

interface Family {
  /** Where config.json does not say whether the output projection is the embedding matrix. */
  readonly tiedEmbeddings?: true;
  /** Where config.json has no head_dim; else hidden_size / num_attention_heads. */
  readonly headSize?: number;
  readonly biases: (fields: FamilyFields) => readonly Projection[];
  readonly queryKeyNorm?: true;
  /** Keys a query of the layer sees, its own among them; null: all before it. */
  readonly windowOf: (fields: FamilyFields, layer: number) => number | null;
  readonly rotates?: (fields: FamilyFields, layer: number) => boolean;
  /** Pairs of projections lie in one tensor (fusedProjections.ts). */
  readonly fused?: true;
}

const ATTENTION: readonly Projection[] = ['query', 'key', 'value', 'attentionOutput'];
const MLP: readonly Projection[] = ['gate', 'up', 'down'];
const configuredBiases = (fields: FamilyFields): Projection[] => [...(fields.attention_bias ? ATTENTION : []), ...(fields.mlp_bias ? MLP : [])];
const noWindow = (): null => null;
const SLIDING = 'sliding_attention';

/** Qwen: windows from layer max_window_layers on, if use_sliding_window switches them on; layer_types says it layer by layer. */
function qwenWindow({ use_sliding_window, sliding_window, max_window_layers, layer_types }: FamilyFields, layer: number): number | null {
  if (!use_sliding_window) return null;
  const slides = layer_types ? layer_types[layer] === SLIDING : layer >= (max_window_layers ?? 28);
  return slides ? defaulted(sliding_window, 4096) : null;
}

/** An absent field means the default, a null means none. */
const defaulted = (window: number | null | undefined, absent: number | null): number | null => (window === undefined ? absent : window);

/** SmolLM3: every fourth layer does not rotate, unless no_rope_layers (1 rotates, 0 does not) says which. */
const smollm3Rotates = ({ no_rope_layers, no_rope_layer_interval }: FamilyFields, layer: number): boolean =>
  no_rope_layers ? no_rope_layers[layer] !== 0 : (layer + 1) % (no_rope_layer_interval ?? 4) !== 0;

export const FAMILIES: Readonly<Record<string, Family>> = {
  llama: { biases: configuredBiases, windowOf: noWindow },
  mistral: { biases: () => [], windowOf: ({ sliding_window }) => defaulted(sliding_window, 4096) },
  qwen2: { biases: () => ['query', 'key', 'value'], windowOf: qwenWindow },
  qwen3: { headSize: 128, biases: ({ attention_bias }) => (attention_bias ? ATTENTION : []), queryKeyNorm: true, windowOf: qwenWindow },
  smollm3: {
    tiedEmbeddings: true,
    biases: configuredBiases,
    rotates: smollm3Rotates,
    windowOf: (fields, layer) => {
      if (!fields.use_sliding_window) return null;
      const slides = fields.layer_types ? fields.layer_types[layer] === SLIDING : !smollm3Rotates(fields, layer);
      return slides ? (fields.sliding_window ?? null) : null;
    },
  },
  phi3: { biases: () => [], windowOf: ({ sliding_window }) => sliding_window ?? null, fused: true },
};

export const familyOf = (modelType: string): Family | undefined => (Object.hasOwn(FAMILIES, modelType) ? FAMILIES[modelType] : undefined);

export interface LayerParts {
  readonly biases?: readonly Projection[];
  readonly queryKeyNorm?: true;
  readonly windows?: readonly (number | null)[];
  readonly unrotatedLayers?: readonly number[];
}

/** What of it a checkpoint has; a part that it lacks is absent, so that plain decoders are named alike in every family. */
export function layerParts(family: Family, fields: FamilyFields): LayerParts {
  const layers = Array.from({ length: fields.num_hidden_layers }, (_, layer) => layer);
  const biases = family.biases(fields);
  const windows = layers.map((layer) => family.windowOf(fields, layer));
  const unrotatedLayers = layers.filter((layer) => family.rotates?.(fields, layer) === false);
  return {
    ...(biases.length > 0 && { biases }),
    ...(family.queryKeyNorm && { queryKeyNorm: true }),
    ...(windows.some((window) => window !== null) && { windows }),
    ...(unrotatedLayers.length > 0 && { unrotatedLayers }),
  };
}

/** Lists that are too short for the layers there are. */
export const shortLists = (fields: FamilyFields): Problem[] =>
  (['layer_types', 'no_rope_layers'] as const).flatMap((name) => {
    const list = fields[name];
    return list && list.length < fields.num_hidden_layers
      ? [{ where: name, what: `it has ${list.length} entries for ${fields.num_hidden_layers} layers` }]
      : [];
  });
