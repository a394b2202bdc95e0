/**
 * Prisma's own schema engine, compiled to WebAssembly: it applies migrations through the driver adapter, so that
 * nothing has to be downloaded. It writes the ordinary `_prisma_migrations` table.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
// The package's main entry imports .wasm as a module, which Node 20 does not do: the glue is bound by hand instead.
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

/** The two calls that are needed: TypeScript knows WebAssembly only with the browser's types. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: Record<string, unknown>): Promise<{ readonly exports: Record<string, unknown> }>;
};

type SchemaEngine = Awaited<ReturnType<typeof glue.SchemaEngine.new>>;
interface Glue {
  __wbg_set_wasm(exports: Record<string, unknown>): void;
}

let bound: Promise<void> | undefined;

async function bind(): Promise<void> {
  // Where the engine leaves the message of a panic; without it the panic would be a riddle.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: {
      set_message(message: string): never {
        throw new Error(`the schema engine panicked: ${message}`);
      },
    },
  });
  const wasmPath = createRequire(import.meta.url)
    .resolve('@prisma/schema-engine-wasm/schema_engine_bg')
    .replace(/\.js$/, '.wasm');
  const module = await WebAssembly.compile(await readFile(wasmPath));
  const instance = await WebAssembly.instantiate(module, { './schema_engine_bg.js': glue });
  (glue as unknown as Glue).__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
}

/**
 * The driver adapter, but that a script goes to the server whole: the adapter's own way cuts it at every semicolon,
 * those inside function bodies and comments too. Whole, a script is also one transaction.
 */
class WholeScripts extends PrismaPg {
  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script);
    };
    return adapter;
  }
}

/**
 * Runs `work` with a schema engine on one database, and closes its connections: the engine's own lock on the database
 * lasts as long as they do.
 *
 * @param schema Text of prisma/schema.prisma, or undefined where only migrations are applied.
 */
export async function withSchemaEngine<Result>(
  databaseUrl: string,
  schema: string | undefined,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  await (bound ??= bind());
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  // An idle connection that dies must not end the process; the next query reports it.
  pool.on('error', () => undefined);
  const adapter = bindMigrationAwareSqlAdapterFactory(new WholeScripts(pool));
  const datamodels: [string, string][] | undefined = schema === undefined ? undefined : [['schema.prisma', schema]];
  try {
    const engine = await glue.SchemaEngine.new({ datamodels }, () => undefined, adapter);
    try {
      return await work(engine);
    } finally {
      engine.free();
    }
  } finally {
    await pool.end();
  }
}
