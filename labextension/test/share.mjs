/**
 * Prints how many lines of tests there are for each line of source: by Jest alone, and with the browser's tests.
 *
 * With `--check` it fails where Jest's are less than half of the source.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Written by a program, from the server's description of its interface. */
const GENERATED = join(ROOT, 'src/api/schema.ts');

function lines(folder, extensions) {
  const root = join(ROOT, folder);
  return readdirSync(root, { recursive: true })
    .map(name => join(root, name))
    .filter(path => extensions.includes(extname(path)) && path !== GENERATED)
    .reduce(
      (sum, path) => sum + readFileSync(path, 'utf8').split('\n').length - 1,
      0
    );
}

const source = lines('src', ['.ts', '.tsx']);
const jest = lines('test', ['.ts', '.tsx']);
const browser = lines('../tests/ui', ['.py']);
const share = tests =>
  `${tests} lines, ${Math.round((100 * tests) / source)} %`;
console.log(`source: ${source} lines`);
console.log(`Jest: ${share(jest)}`);
console.log(`Jest and the browser's tests: ${share(jest + browser)}`);
if (process.argv.includes('--check') && 2 * jest < source) {
  console.error(
    `Jest's tests are ${source - 2 * jest} lines of source behind: they have to be at least half of it.`
  );
  process.exitCode = 1;
}
