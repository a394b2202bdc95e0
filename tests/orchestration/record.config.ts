import { defineConfig } from 'vitest/config';

/** `npm run record-histories`: writes tests/histories in place of testing against them. */
export default defineConfig({ test: { include: ['tests/orchestration/recordHistories.ts'], pool: 'forks' } });
