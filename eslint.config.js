import tseslint from 'typescript-eslint';

/** What workflow code may not touch: it is replayed, so it must be deterministic. */
const workflowFence = {
  'no-restricted-imports': [
    'error',
    {
      patterns: [
        { group: ['node:*', 'fs', 'path', 'crypto', 'os', 'zod'], message: 'Workflows run in a sandbox and are replayed: no Node builtins, no zod.' },
        { group: ['**/activities/**'], allowTypeImports: true, message: 'Workflows know activities by type only: use import type.' },
      ],
    },
  ],
  'no-restricted-globals': ['error', 'process', 'Buffer', 'crypto', 'fetch'],
};

export default tseslint.config(
  { ignores: ['dist/', 'results/generated/', 'node_modules/', '.ropesweep/', 'bin/', 'scripts/', 'bench/peers/', 'tests/panels/grafana/', 'eslint.config.js', '.dependency-cruiser.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: ['./tsconfig.check.json', './cli/open/browser/tsconfig.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
    },
  },
  { files: ['workflows/**/*.ts'], rules: workflowFence },
);
