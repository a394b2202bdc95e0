/**
 * The sweep file's schema as plain JSON Schema: written out for editors, and read to say which keys a place knows.
 */
import { z } from 'zod';
import { sweepSpecSchema } from '../domain/spec.js';
import type { SpecPath } from './places.js';

/** The part of JSON Schema that our schemas use. */
export interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly const?: unknown;
  /** `#/definitions/NAME` */
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
}

/** Draft 7, which editors' YAML support reads best; of what a person writes, so that defaults need not be given. */
export function sweepSchemaTree(): SchemaNode {
  return z.toJSONSchema(sweepSpecSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // Bounds that only say "a whole number a double can hold" are noise in an editor.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  }) as SchemaNode;
}

/** Keys that the schema knows at a path of `value`, following the branch whose constants match. */
export function knownKeys(path: SpecPath, value: unknown): string[] {
  const tree = sweepSchemaTree();
  const named = (node: SchemaNode): SchemaNode => tree.definitions?.[node.$ref?.split('/').at(-1) ?? ''] ?? node;
  let nodes: readonly SchemaNode[] = [tree];
  let here = value;
  for (const part of path) {
    nodes = branches(nodes, here, named).flatMap((node) => (typeof part === 'number' ? node.items : node.properties?.[part]) ?? []);
    here = (here as Record<string | number, unknown> | null | undefined)?.[part];
  }
  return [...new Set(branches(nodes, here, named).flatMap((node) => Object.keys(node.properties ?? {})))];
}

function branches(nodes: readonly SchemaNode[], value: unknown, named: (node: SchemaNode) => SchemaNode): SchemaNode[] {
  return nodes.map(named).flatMap((node) => {
    const options = node.anyOf ?? node.oneOf;
    return options === undefined ? [node] : branches(options, value, named).filter((option) => matches(option, value));
  });
}

const matches = (node: SchemaNode, value: unknown): boolean =>
  Object.entries(node.properties ?? {}).every(
    ([key, { const: constant }]) => constant === undefined || (value as Record<string, unknown> | null | undefined)?.[key] === constant,
  );
