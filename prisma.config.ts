import { defineConfig } from 'prisma/config';

/** For the Prisma CLI (generate; online also migrate deploy). ropesweep itself migrates with results/migrate.ts. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(process.env['DATABASE_URL'] === undefined ? {} : { datasource: { url: process.env['DATABASE_URL'] } }),
});
