/** A device in the words of ONNX Runtime's session options. */
import type { InferenceSession } from 'onnxruntime-node';
import type { Device } from '../domain/device.js';

export const executionProvider = ({ provider, index }: Device): InferenceSession.ExecutionProviderConfig =>
  provider === 'cuda' ? { name: 'cuda', deviceId: index } : provider;
