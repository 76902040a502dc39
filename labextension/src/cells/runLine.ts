import { joinCommand, splitCommand } from '../submission/command';

/** What the first line of a cell says that runs it as a workload; empty for what it leaves out. */
export interface IRunLine {
  readonly verb: string;

  /** Names of the catalog. */
  readonly template: string;
  readonly environment: string;

  /** A share of a device, whole devices, or `auto`. */
  readonly gpu: string;

  /** So many, or at least and at most so many: "2:8". */
  readonly workers: string;
  readonly outputs: string;
  readonly detach: boolean;

  /** All other options, as they are typed. */
  readonly rest: string;
}

const MAGIC = '%%runai';
const FIRST_LINE = /^(?:[^\S\n]*\n)*(%%runai(?:[^\S\n][^\n]*)?)(?:\n|$)/;

/** The options that have a field of their own, by how they are typed. */
const FIELDS: Readonly<
  Record<string, 'template' | 'environment' | 'gpu' | 'workers' | 'outputs'>
> = {
  '--template': 'template',
  '--environment': 'environment',
  '--gpu': 'gpu',
  '--devices': 'gpu',
  '--workers': 'workers',
  '--elastic': 'workers',
  '-o': 'outputs',
  '--outputs': 'outputs'
};

/** What the first line of a cell asks for; null where the cell is not ours. */
export function readRunLine(source: string): IRunLine | null {
  const found = FIRST_LINE.exec(source)?.[1];
  if (found === undefined) {
    return null;
  }
  const [verb = 'train', ...words] = splitCommand(found.slice(MAGIC.length));
  const fields = {
    template: '',
    environment: '',
    gpu: '',
    workers: '',
    outputs: ''
  };
  const rest: string[] = [];
  let detach = false;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [name, given] = nameAndValue(word);
    const field = FIELDS[name];
    if (field !== undefined) {
      fields[field] = given ?? words.shift() ?? '';
    } else if (word === '--detach') {
      detach = true;
    } else {
      rest.push(word);
    }
  }
  return { verb, ...fields, detach, rest: joinCommand(rest) };
}

/** A cell with that first line: instead of the one it has, else above its code. */
export function withRunLine(source: string, line: IRunLine): string {
  const found = FIRST_LINE.exec(source);
  const code = found === null ? source : source.slice(found[0].length);
  return `${runLine(line)}\n${code}`;
}

/** The line as it is typed. */
export function runLine(line: IRunLine): string {
  const { verb, template, environment, gpu, workers } = line;
  const { outputs, detach, rest } = line;
  const number = workers.includes(':') ? '--elastic' : '--workers';
  return [
    MAGIC,
    verb,
    ...option('--template', template),
    ...option('--environment', environment),
    // Only one of both is taken.
    ...(optionIn(rest, '--gpu-memory') === undefined
      ? option('--gpu', gpu)
      : []),
    // One is usual, unless a template says otherwise.
    ...(workers === '1' && template === '' ? [] : option(number, workers)),
    ...option('-o', outputs.replace(/\s+/g, '')),
    ...(detach ? ['--detach'] : []),
    rest.trim()
  ]
    .filter(word => word !== '')
    .join(' ');
}

/** What an option says, by any of its names; undefined where it is not among these. */
export function optionIn(
  options: string,
  ...names: readonly string[]
): string | undefined {
  const words = splitCommand(options);
  for (const [index, word] of words.entries()) {
    const [name, given] = nameAndValue(word);
    if (names.includes(name)) {
      return given ?? words[index + 1] ?? '';
    }
  }
  return undefined;
}

/** An option's name, and what is given with it in the same word. */
function nameAndValue(word: string): [name: string, given?: string] {
  const [name = '', given] = word.split(/=(.*)/s);
  return given === undefined ? [name] : [name, given];
}

function option(name: string, value: string): string[] {
  const given = value.trim();
  return given === '' ? [] : [name, joinCommand([given])];
}
