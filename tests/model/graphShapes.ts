/**
 * Shapes of every tensor of a generated graph at given sizes, without running it: the rules of the ONNX operators and of
 * ONNX Runtime's own that decoders use. Integers are followed by value, since they become bounds and shapes.
 */
import onnxProto, { type onnx } from 'onnx-proto';

type Shape = readonly number[];
interface Known {
  readonly shape: Shape;
  /** Of small integer tensors. */
  readonly values?: readonly number[];
}
export type Sizes = Readonly<Record<string, number>>;

/**
 * @param sizes of the dimensions that inputs name
 * @param integers values of integer inputs that bound slices or give shapes
 * @returns name -> shape of every value, those inside of Scan among them
 */
export function graphShapes(model: Uint8Array, sizes: Sizes, integers: Readonly<Record<string, readonly number[]>>): Map<string, Shape> {
  const { graph } = onnxProto.onnx.ModelProto.decode(model);
  if (!graph) throw new Error('no graph');
  const known = new Map<string, Known>([['', { shape: [] }]]);
  for (const { name, dims, int64Data } of graph.initializer ?? []) {
    known.set(name ?? '', { shape: (dims ?? []).map(Number), ...(int64Data && int64Data.length > 0 && { values: int64Data.map(Number) }) });
  }
  for (const { name, type } of graph.input ?? []) {
    const shape = declared(type, sizes);
    const values = integers[name ?? ''];
    known.set(name ?? '', { shape, ...(values && { values }) });
  }
  for (const node of graph.node ?? []) follow(node, known);
  for (const { name, type } of graph.output ?? []) {
    const [found, said] = [need(known.get(name ?? ''), name ?? '').shape, declared(type, sizes)];
    if (found.join() !== said.join()) throw new Error(`${name ?? ''} is [${found.join()}], the graph says [${said.join()}]`);
  }
  return new Map([...known].map(([name, { shape }]) => [name, shape]));
}

const declared = (type: onnx.ITypeProto | null | undefined, sizes: Sizes): number[] =>
  (type?.tensorType?.shape?.dim ?? []).map(({ dimParam, dimValue }) => (dimParam ? need(sizes[dimParam], dimParam) : Number(dimValue)));

const need = <Value>(value: Value | undefined, name: string): Value => {
  if (value === undefined) throw new Error(`${name} is not known`);
  return value;
};

function follow(node: onnx.INodeProto, known: Map<string, Known>): void {
  const operator = node.opType ?? '';
  const inputs = (node.input ?? []).map((name) => need(known.get(name), name));
  const outputs = need(RULES[operator], `the rule of ${operator}`)(inputs, attributesOf(node), known);
  node.output?.forEach((name, index) => known.set(name, need(outputs[index], `output ${index} of ${operator}`)));
}

interface Attributes {
  readonly int: (name: string, absent?: number) => number;
  readonly ints: (name: string) => readonly number[];
  readonly body: onnx.IGraphProto;
}
function attributesOf({ attribute }: onnx.INodeProto): Attributes {
  const byName = new Map((attribute ?? []).map((one) => [one.name ?? '', one]));
  return {
    int: (name, absent = 0) => Number(byName.get(name)?.i ?? absent),
    ints: (name) => (byName.get(name)?.ints ?? []).map(Number),
    get body() {
      return need(byName.get('body')?.g ?? undefined, 'body');
    },
  };
}

type Rule = (inputs: readonly Known[], attributes: Attributes, known: ReadonlyMap<string, Known>) => readonly Known[];

const at = (inputs: readonly Known[], index: number): Known => need(inputs[index], `input ${index}`);
const valuesAt = (inputs: readonly Known[], index: number): readonly number[] => need(at(inputs, index).values, `values of input ${index}`);
const elements = (shape: Shape): number => shape.reduce((product, dimension) => product * dimension, 1);
const axisOf = (axis: number, shape: Shape): number => (axis < 0 ? axis + shape.length : axis);

function broadcast(shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, place) => {
    const dimensions = shapes.map((shape) => shape[place - rank + shape.length] ?? 1);
    const [wide = 1] = dimensions.filter((dimension) => dimension !== 1);
    if (dimensions.some((dimension) => dimension !== 1 && dimension !== wide)) throw new Error(`${JSON.stringify(shapes)} do not broadcast`);
    return wide;
  });
}

/** Element by element, with what it does to single integers. */
const elementwise = (compute?: (...values: number[]) => number): Rule => (inputs) => {
  const values = compute && inputs.every((input) => input.values?.length === 1) ? [compute(...inputs.map((input) => input.values?.[0] ?? NaN))] : undefined;
  return [{ shape: broadcast(inputs.map(({ shape }) => shape)), ...(values && { values }) }];
};
const sameShape: Rule = (inputs) => [at(inputs, 0)];

const reduce: Rule = (inputs, { int }) => {
  const { shape } = at(inputs, 0);
  const axes = (inputs.length > 1 ? valuesAt(inputs, 1) : [int('axis')]).map((axis) => axisOf(axis, shape));
  const keep = int('keepdims', 1) === 1;
  return [{ shape: shape.flatMap((dimension, place) => (axes.includes(place) ? (keep ? [1] : []) : [dimension])) }];
};

const RULES: Readonly<Record<string, Rule | undefined>> = {
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Mod: elementwise((a, b) => ((a % b) + b) % b),
  Max: elementwise(Math.max),
  Min: elementwise(Math.min),
  Neg: elementwise((a) => -a),
  Greater: elementwise(),
  LessOrEqual: elementwise(),
  Or: elementwise(),
  Where: elementwise(),
  Exp: sameShape,
  Log: sameShape,
  Cast: sameShape,
  Identity: sameShape,
  LogSoftmax: sameShape,
  Softmax: sameShape,
  QuickGelu: sameShape,
  RotaryEmbedding: sameShape,
  SimplifiedLayerNormalization: sameShape,
  ReduceSum: reduce,
  ReduceMax: reduce,
  ArgMax: reduce,
  Shape: (inputs) => [{ shape: [at(inputs, 0).shape.length], values: at(inputs, 0).shape }],
  Range: (inputs) => {
    const [from = 0, to = 0] = [0, 1].flatMap((index) => valuesAt(inputs, index));
    return [{ shape: [to - from] }];
  },
  Gather: (inputs, { int }) => {
    const [{ shape: data }, { shape: indices }] = [at(inputs, 0), at(inputs, 1)];
    const axis = axisOf(int('axis'), data);
    return [{ shape: [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)] }];
  },
  GatherElements: (inputs) => [{ shape: at(inputs, 1).shape }],
  TopK: (inputs, { int }) => {
    const { shape } = at(inputs, 0);
    const best = shape.map((dimension, place) => (place === axisOf(int('axis', -1), shape) ? (valuesAt(inputs, 1)[0] ?? 0) : dimension));
    return [{ shape: best }, { shape: best }];
  },
  Concat: (inputs, { int }) => {
    const { shape } = at(inputs, 0);
    const axis = axisOf(int('axis'), shape);
    const total = inputs.reduce((sum, input) => sum + (input.shape[axis] ?? 0), 0);
    const values = inputs.every((input) => input.values) ? inputs.flatMap((input) => input.values ?? []) : undefined;
    return [{ shape: shape.map((dimension, place) => (place === axis ? total : dimension)), ...(values && { values }) }];
  },
  Slice: (inputs) => {
    const { shape, values } = at(inputs, 0);
    const [starts, ends, axes] = [valuesAt(inputs, 1), valuesAt(inputs, 2), valuesAt(inputs, 3)];
    const sliced = [...shape];
    let kept = values;
    axes.forEach((axis, index) => {
      const size = shape[axis] ?? 0;
      const place = (value = 0): number => Math.min(size, Math.max(0, value < 0 ? value + size : value));
      const [from, to] = [place(starts[index]), place(ends[index])];
      sliced[axis] = Math.max(0, to - from);
      kept = shape.length === 1 ? kept?.slice(from, to) : undefined;
    });
    return [{ shape: sliced, ...(kept && { values: kept }) }];
  },
  Squeeze: (inputs) => [{ ...at(inputs, 0), shape: at(inputs, 0).shape.filter((dimension) => dimension !== 1) }],
  Unsqueeze: (inputs) => {
    const shape = [...at(inputs, 0).shape];
    for (const axis of valuesAt(inputs, 1)) shape.splice(axis, 0, 1);
    return [{ ...at(inputs, 0), shape }];
  },
  Transpose: (inputs, { ints }) => [{ shape: ints('perm').map((place) => need(at(inputs, 0).shape[place], 'perm')) }],
  Reshape: (inputs) => {
    const { shape: from, values } = at(inputs, 0);
    const asked = valuesAt(inputs, 1);
    const given = elements(asked.filter((dimension) => dimension !== -1));
    const shape = asked.map((dimension) => (dimension === -1 ? elements(from) / given : dimension));
    if (elements(shape) !== elements(from)) throw new Error(`[${from.join()}] cannot become [${asked.join()}]`);
    return [{ shape, ...(values && { values }) }];
  },
  Expand: (inputs) => [{ shape: broadcast([at(inputs, 0).shape, valuesAt(inputs, 1)]) }],
  Pad: (inputs) => {
    const [{ shape }, pads] = [at(inputs, 0), valuesAt(inputs, 1)];
    return [{ shape: shape.map((dimension, place) => dimension + (pads[place] ?? 0) + (pads[place + shape.length] ?? 0)) }];
  },
  MatMul: (inputs) => product(inputs, false),
  FusedMatMul: (inputs, { int }) => product(inputs, int('transB') === 1),
  GroupQueryAttention: (inputs, { int }) => {
    const [query, key, past] = [at(inputs, 0).shape, at(inputs, 1).shape, at(inputs, 3).shape];
    const heads = int('kv_num_heads');
    const present = { shape: past.length === 4 ? past : [1, heads, key[1] ?? 0, (key[2] ?? 0) / heads] };
    return [{ shape: query }, present, present];
  },
  MultiHeadAttention: sameShape,
  Scan: (inputs, { body }, outer) => {
    const inside = new Map<string, Known>(outer);
    const steps = at(inputs, 0).shape[0] ?? 0;
    body.input?.forEach(({ name }, index) => inside.set(name ?? '', { shape: at(inputs, index).shape.slice(1) }));
    for (const { name, dims, int64Data } of body.initializer ?? []) inside.set(name ?? '', { shape: (dims ?? []).map(Number), ...(int64Data && { values: int64Data.map(Number) }) });
    for (const node of body.node ?? []) follow(node, inside);
    for (const [name, value] of inside) if (!outer.has(name)) (outer as Map<string, Known>).set(`scan/${name}`, value);
    return (body.output ?? []).map(({ name }) => ({ shape: [steps, ...need(inside.get(name ?? ''), name ?? '').shape] }));
  },
};

function product(inputs: readonly Known[], transposed: boolean): readonly Known[] {
  const [left, right] = [at(inputs, 0).shape, at(inputs, 1).shape];
  const [rows = 1, inner = 1] = transposed ? [right.at(-2), right.at(-1)] : [right.at(-1), right.at(-2)];
  if (left.at(-1) !== inner) throw new Error(`[${left.join()}] times [${right.join()}]`);
  return [{ shape: [...broadcast([left.slice(0, -2), right.slice(0, -2)]), left.at(-2) ?? 1, rows] }];
}
