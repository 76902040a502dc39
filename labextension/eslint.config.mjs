import eslint from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** Every rule that Jupyter recommends, as an error: warnings pile up. */
const jupyterErrors = jupyter.configs.recommended.map(config => ({
  ...config,
  plugins: { jupyter },
  rules: Object.fromEntries(
    Object.entries(config.rules).map(([rule, level]) => [
      rule,
      level === 'off' ? 'off' : 'error'
    ])
  )
}));

export default tseslint.config(
  {
    ignores: [
      'lib',
      'coverage',
      'node_modules',
      '*.config.{js,mjs,cjs}',
      'src/api/schema.ts'
    ]
  },
  ...jupyterErrors,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [
      eslint.configs.recommended,
      ...tseslint.configs.strictTypeChecked,
      ...tseslint.configs.stylisticTypeChecked,
      reactHooks.configs.flat['recommended-latest']
    ],
    languageOptions: {
      parserOptions: {
        project: './tsconfig.test.json',
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      curly: 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-arrow-callback': ['error', { allowNamedFunctions: true }],
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': [
        'error',
        { max: 60, skipBlankLines: true, skipComments: true }
      ],
      // Jupyter's classes come with a namespace of the same name for options.
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-redeclare': 'off',
      // Lumino's signals take a method and the object to call it on.
      '@typescript-eslint/unbound-method': 'off',
      // The stream, the sidebar's panel, the status item and the notebook's button are there from the start.
      'jupyter/prefer-lazy-imports': [
        'error',
        {
          ignoreImports: [
            '../acting',
            '../components/StatusItem',
            '../kernels/leases',
            '../kernels/workspaces',
            '../model/engineModel',
            '../running',
            '../verbs',
            '../widgets/lease',
            '../widgets/panel',
            './tabs'
          ]
        }
      ],
      // Nothing here goes through the React compiler.
      'react-hooks/incompatible-library': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true }
      ],
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ]
    }
  },
  {
    files: ['test/**/*.{ts,tsx}'],
    rules: {
      // A describe block is as long as its list of cases.
      'max-lines-per-function': 'off'
    }
  },
  prettier
);
