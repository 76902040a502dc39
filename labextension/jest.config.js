// Where clocks are put forward and back: a day has 23, 24 or 25 hours.
process.env.TZ = 'Europe/Berlin';

/** Jupyter's packages are ES modules; Jest runs them after a transform. */
const esModules = [
  '@codemirror',
  '@jupyter',
  '@jupyterlab',
  '@lezer',
  '@lumino',
  '@marijn',
  '@microsoft',
  '@rjsf',
  '@tanstack',
  'exenv-es6',
  'lib0',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

module.exports = {
  testEnvironment: '<rootDir>/test/environment.js',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.{ts,tsx}'],
  setupFilesAfterEnv: ['<rootDir>/test/setup.ts'],
  transform: {
    '^.+\\.(ts|tsx|js|mjs)$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', tsx: true },
          transform: { react: { runtime: 'automatic' } },
          target: 'es2022'
        }
      }
    ]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esModules})/)`],
  moduleNameMapper: {
    '\\.(css|less)$': '<rootDir>/test/stubs/style.js',
    '\\.svg$': '<rootDir>/test/stubs/svg.js',
    '^@jupyterlab/notebook$': '<rootDir>/test/stubs/notebook.js'
  },
  collectCoverageFrom: ['src/**/*.{ts,tsx}']
};
