/**
 * Sessions of ONNX Runtime: the only file that imports onnxruntime-node.
 *
 * `run` is synchronous in the native code: it blocks this process's JavaScript thread and cannot be cancelled, so a
 * session lives in a slot's child process and is cancelled by killing it.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { CPU, type Device } from '../domain/device.js';
import { ENGINE } from '../domain/engine.js';
import { executionProvider } from './executionProvider.js';

export { fingerprint } from './fingerprint.js';

interface TensorData {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
}
export type TensorType = keyof TensorData;

/** A tensor over memory of this process: feeding it copies nothing. */
export type RuntimeTensor = Tensor;
export type Tensors = Readonly<Record<string, RuntimeTensor>>;

export const tensor = <Type extends TensorType>(type: Type, data: TensorData[Type], shape: readonly number[]): RuntimeTensor =>
  new Tensor(type, data as never, shape);

export interface SessionOptions {
  /** Threads inside an operator; the slot's share of the cores. Results do not depend on it. */
  readonly threads: number;
  /** Where it runs; the CPU if absent. */
  readonly device?: Device;
}

export interface Session {
  /** Runs the graph once; `outputs` has the names of the outputs wanted, which come back as copies. */
  run(inputs: Tensors, outputs: Readonly<Record<string, null>>): Promise<Tensors>;
  release(): Promise<void>;
}

/** @param model ONNX bytes whose external data is located relative to the root of the file system */
export async function openSession(model: Uint8Array, { threads, device = CPU }: SessionOptions): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: [executionProvider(device)],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: {
      session: {
        // Prepacked weights round differently; one setting for all sweeps, and without it weights stay memory-mapped.
        disable_prepacking: ENGINE.prepacking ? '0' : '1',
        // For the threads of the session and, from the first session of a process on, for the one that runs it.
        set_denormal_as_zero: ENGINE.denormals ? '0' : '1',
        model_external_initializers_file_folder_path: '/',
        // Slots share the cores: a thread that waits must not spin.
        intra_op: { allow_spinning: '0' },
      },
    },
  });
  return {
    run: (inputs, outputs) => session.run(inputs, outputs),
    release: () => session.release(),
  };
}
