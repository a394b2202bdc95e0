// Prefill with llama.cpp: {"tokens": n} on a line in, {"seconds": s} on a line out.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [packageEntry, modelPath, threads] = process.argv.slice(2);
const { getLlama } = await import(pathToFileURL(packageEntry).href);
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: Number(threads), logLevel: 'error' });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const answer = (seconds) => process.stdout.write(`${JSON.stringify({ seconds })}\n`);
answer(0);
for await (const line of createInterface({ input: process.stdin })) {
  const { tokens } = JSON.parse(line);
  const context = await model.createContext({ contextSize: tokens + 16, batchSize: 512, threads: Number(threads), flashAttention: true });
  const ids = Array.from({ length: tokens }, (_, index) => 4 + ((index * 37) % 40000));
  const start = performance.now();
  await context.getSequence().evaluateWithoutGeneratingNewTokens(ids);
  answer((performance.now() - start) / 1000);
  await context.dispose();
}
process.exit(0);
