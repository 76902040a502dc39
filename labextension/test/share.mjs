/** Prints how many lines of tests there are for each line of source: by Jest alone, and with the browser's tests. */
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

/** Written by a program, from the server's description of its interface. */
const GENERATED = 'src/api/schema.ts';

function lines(folder, extensions) {
  return readdirSync(folder, { recursive: true })
    .map(name => join(folder, name))
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
