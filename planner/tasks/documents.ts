/** The documents of perplexity and attention tasks in a plan. */
import { axisValues } from '../../domain/axis.js';
import type { DocumentsSpec } from '../../domain/taskSpec.js';
import type { ResolvedDocument } from '../../domain/task.js';
import { absentDocuments, resolveDocuments } from '../../prompts/documents.js';
import type { TaskInputs } from './taskPlanner.js';

/** How many documents a spec asks for: it is refused where there are fewer. */
export const documentCount = (spec: DocumentsSpec): number => (spec.kind === 'text' ? spec.count : axisValues(spec.seeds).length);

/** Stand for documents that were not looked at yet. */
export const unknownDocuments = (spec: DocumentsSpec): { readonly id: string }[] => Array.from({ length: documentCount(spec) }, (_, index) => ({ id: String(index) }));

/** Each long enough for the longest context; stand-ins where the tokenizer that would count them is not here. */
export function documentsOf(spec: DocumentsSpec, inputs: TaskInputs): Promise<ResolvedDocument[]> {
  if (inputs.provisional && inputs.tokenizer === null && spec.kind === 'text') return Promise.resolve(absentDocuments(spec));
  const { tokenizer, contextTokens, resolvePath, resolveHaystack } = inputs;
  return resolveDocuments(spec, { tokenizer, minimumTokens: contextTokens.at(-1) ?? 1, resolvePath, resolveHaystack });
}
