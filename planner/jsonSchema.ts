/**
 * Generated files of the planner: the JSON Schema that editors check sweep files with.
 */
import { sweepSchemaTree } from './schemaTree.js';

/** Repository path -> text; `npm run generate` writes them and the tests hold the committed ones against them. */
export function generateSchemas(): Record<string, string> {
  const { $schema, ...schema } = sweepSchemaTree() as Record<string, unknown>;
  const titled = { $schema, title: 'ropesweep sweep file', ...schema };
  return { 'docs/schema/sweep.schema.json': `${JSON.stringify(titled, null, 2)}\n` };
}
