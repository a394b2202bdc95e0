/**
 * A small builder of ONNX graphs: one method an operator that decoders use, weights as references into their files.
 * The only file that knows the ONNX protocol buffers.
 */
import path from 'node:path';
import onnxProto, { type onnx } from 'onnx-proto';
import type { ComputeDtype } from '../domain/engine.js';
import type { StoredTensor } from './safetensors.js';

/** The name of a value in the graph. */
export type Value = string;
export type FloatType = 'float32' | 'float16' | 'bfloat16';
export type ElementType = FloatType | 'float64' | 'int32' | 'int64';
/** A dimension: a number, or a name where it is known only at run time. */
export type Dimension = number | string;
type Attribute = number | { readonly int: number } | { readonly ints: readonly number[] } | { readonly graph: onnx.IGraphProto };

/** The package is CommonJS: its values hang on the default import, its types on the name. */
const { AttributeProto, ModelProto, TensorProto } = onnxProto.onnx;

const ELEMENT: Record<ElementType, onnx.TensorProto.DataType> = {
  float32: TensorProto.DataType.FLOAT,
  float16: TensorProto.DataType.FLOAT16,
  bfloat16: TensorProto.DataType.BFLOAT16,
  float64: TensorProto.DataType.DOUBLE,
  int32: TensorProto.DataType.INT32,
  int64: TensorProto.DataType.INT64,
};
/** Types of stored weights that a graph reads as they are. */
export const FLOAT_OF_DTYPE: Readonly<Record<string, FloatType | undefined>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The type that a graph of a compute dtype has its weights in. */
export const FLOAT_OF: { readonly [D in ComputeDtype]: FloatType } = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

const ONNX_OPSET = 20;
const IR_VERSION = 9;
export const MICROSOFT = 'com.microsoft';

export class GraphBuilder {
  #nodes: onnx.INodeProto[] = [];
  readonly #initializers = new Map<string, onnx.ITensorProto>();
  readonly #inputs: onnx.IValueInfoProto[] = [];
  readonly #outputs: onnx.IValueInfoProto[] = [];
  #named = 0;

  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Gives `value` the name of a graph output. */
  output(name: string, value: Value, type: ElementType, shape: readonly Dimension[]): void {
    this.#nodes.push({ opType: 'Identity', input: [value], output: [name], name });
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A weight, read in place from its file: the location is relative to the file system's root (runtime/session.ts). */
  weight(name: string, tensor: StoredTensor): Value {
    this.#initializers.set(name, {
      name,
      dataType: ELEMENT[FLOAT_OF_DTYPE[tensor.dtype] ?? 'float32'],
      dims: [...tensor.shape],
      dataLocation: TensorProto.DataLocation.EXTERNAL,
      externalData: [
        { key: 'location', value: path.relative('/', tensor.file) },
        { key: 'offset', value: String(tensor.byteOffset) },
        { key: 'length', value: String(tensor.byteLength) },
      ],
    });
    return name;
  }

  /** A small constant; equal ones are stored once. */
  constant(type: ElementType, values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const name = `constant_${type}_${values.join('_')}_${shape.join('x')}`;
    const data =
      type === 'float32' ? { floatData: [...values] } : type === 'int32' ? { int32Data: [...values] } : { int64Data: [...values] };
    this.#initializers.set(name, { name, dataType: ELEMENT[type], dims: [...shape], ...data });
    return name;
  }

  ints = (...values: number[]): Value => this.constant('int64', values);
  scalar = (value: number): Value => this.constant('float32', [value], []);

  /** One node with `outputs` results; attributes that are not marked int are floats. */
  nodes(opType: string, inputs: readonly Value[], outputs: number, attributes: Readonly<Record<string, Attribute>> = {}, domain = ''): readonly Value[] {
    this.#named += 1;
    const name = `${opType}_${this.#named}`;
    const output = Array.from({ length: outputs }, (_, index) => `${name}:${index}`);
    this.#nodes.push({ opType, domain, name, input: [...inputs], output, attribute: Object.entries(attributes).map(attributeOf) });
    return output;
  }

  node(opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}, domain = ''): Value {
    return this.nodes(opType, inputs, 1, attributes, domain)[0] ?? '';
  }

  add = (a: Value, b: Value): Value => this.node('Add', [a, b]);
  sub = (a: Value, b: Value): Value => this.node('Sub', [a, b]);
  mul = (a: Value, b: Value): Value => this.node('Mul', [a, b]);
  reshape = (value: Value, ...shape: number[]): Value => this.node('Reshape', [value, this.ints(...shape)]);
  transpose = (value: Value, ...permutation: number[]): Value => this.node('Transpose', [value], { perm: { ints: permutation } });
  slice = (value: Value, start: Value, end: Value, axis: number): Value => this.node('Slice', [value, start, end, this.ints(axis)]);
  cast = (value: Value, type: ElementType): Value => this.node('Cast', [value], { to: { int: ELEMENT[type] } });
  concat = (values: readonly Value[], axis: number): Value => this.node('Concat', values, { axis: { int: axis } });
  sumOver = (value: Value, axis: number, keep = false): Value =>
    this.node('ReduceSum', [value, this.ints(axis)], { keepdims: { int: keep ? 1 : 0 } });

  /** x W^T alpha for W as files store it, [outputs, inputs]: no transposed copy of a weight is ever made. */
  linear = (value: Value, weight: Value, alpha = 1): Value =>
    this.node('FusedMatMul', [value, weight], { alpha, transA: { int: 0 }, transB: { int: 1 } }, MICROSOFT);

  rmsNorm = (value: Value, weight: Value, epsilon: number): Value =>
    this.node('SimplifiedLayerNormalization', [value, weight], { axis: { int: -1 }, epsilon, stash_type: { int: 1 } });

  /** x sigmoid(x): QuickGelu with alpha 1. */
  silu = (value: Value): Value => this.node('QuickGelu', [value], { alpha: 1 }, MICROSOFT);

  /**
   * Runs `body` for every slice of the inputs along their first axis, one after the other; its results come back stacked.
   * The body may read anything of the graph around it.
   */
  scan(inputs: readonly Value[], body: (slices: readonly Value[]) => readonly Value[]): readonly Value[] {
    this.#named += 1;
    const name = `scan_${this.#named}`;
    const slices = inputs.map((_, index) => `${name}_slice_${index}`);
    const around = this.#nodes;
    this.#nodes = [];
    const results = body(slices);
    const graph: onnx.IGraphProto = { name, node: this.#nodes, input: slices.map((slice) => ({ name: slice })), output: results.map((result) => ({ name: result })) };
    this.#nodes = around;
    return this.nodes('Scan', inputs, results.length, { body: { graph }, num_scan_inputs: { int: inputs.length } });
  }

  encode(graphName: string): Uint8Array {
    return ModelProto.encode({
      irVersion: IR_VERSION,
      producerName: 'ropesweep',
      opsetImport: [
        { domain: '', version: ONNX_OPSET },
        { domain: MICROSOFT, version: 1 },
      ],
      graph: {
        name: graphName,
        node: this.#nodes,
        initializer: [...this.#initializers.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
    }).finish();
  }
}

const valueInfo = (name: string, type: ElementType, shape: readonly Dimension[]): onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT[type],
      shape: { dim: shape.map((dimension) => (typeof dimension === 'number' ? { dimValue: dimension } : { dimParam: dimension })) },
    },
  },
});

function attributeOf([name, value]: [string, Attribute]): onnx.IAttributeProto {
  const { AttributeType } = AttributeProto;
  if (typeof value === 'number') return { name, type: AttributeType.FLOAT, f: value };
  if ('graph' in value) return { name, type: AttributeType.GRAPH, g: value.graph };
  if ('int' in value) return { name, type: AttributeType.INT, i: value.int };
  return { name, type: AttributeType.INTS, ints: [...value.ints] };
}
