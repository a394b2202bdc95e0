/** The import law of docs/architecture.md, as rules: a folder may import what its line names, and itself. */
const LAW = {
  domain: [],
  rope: ['domain'],
  prompts: ['domain'],
  model: ['domain', 'rope'],
  planner: ['domain', 'rope', 'prompts', 'model'],
  runtime: ['domain'],
  evaluation: ['domain', 'rope', 'prompts', 'model', 'runtime'],
  results: ['domain'],
  workflows: ['domain', 'activities'],
  activities: ['domain'],
  worker: ['domain', 'rope', 'prompts', 'model', 'planner', 'runtime', 'evaluation', 'results', 'workflows', 'activities', 'infra'],
  cli: ['domain', 'rope', 'prompts', 'model', 'planner', 'runtime', 'evaluation', 'results', 'workflows', 'activities', 'report', 'infra'],
  report: ['domain', 'results'],
  dashboards: ['domain'],
  infra: ['domain'],
};
/** bench/ measures everything and is imported by nobody. */
LAW.bench = Object.keys(LAW);
const folders = Object.keys(LAW);
const owner = (name, folder) => ({
  name: `only-${folder}-imports-${name.replace(/\W+/g, '-')}`,
  severity: 'error',
  from: { path: `^(${folders.join('|')})/`, pathNot: `^${folder}/` },
  to: { path: `node_modules/${name}` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...folders.map((folder) => ({
      name: `import-law-${folder}`,
      severity: 'error',
      from: { path: `^${folder}/` },
      to: { path: `^(${folders.filter((other) => other !== folder && !LAW[folder].includes(other)).join('|')})/` },
    })),
    owner('onnxruntime-node', 'runtime'),
    owner('@prisma/client', 'results'),
    owner('onnx-proto', 'model'),
    {
      name: 'workflows-import-activities-by-type-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.check.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|results/generated)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'], extensions: ['.ts', '.js', '.cjs', '.json'] },
  },
};
