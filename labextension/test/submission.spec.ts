import { joinCommand, splitCommand } from '../src/submission/command';
import {
  changed,
  restoreDraft,
  toDraft,
  toSpec
} from '../src/submission/draft';
import { SubmissionSchema, fieldOfProblem } from '../src/submission/schema';

describe('a command line', () => {
  it.each([
    ['python train.py', ['python', 'train.py']],
    ['  a   b ', ['a', 'b']],
    [`sh -c 'echo "x"'`, ['sh', '-c', 'echo "x"']],
    ['a "b c"d', ['a', 'b cd']],
    ['a\\ b', ['a b']],
    [`a ''`, ['a', '']],
    [`a "it's"`, ['a', "it's"]],
    ['grep "\\d+ \\"x\\""', ['grep', '\\d+ "x"']],
    ['echo "\\\\ \\$HOME"', ['echo', '\\ $HOME']],
    ["awk '\\n'", ['awk', '\\n']],
    ['end\\', ['end\\']],
    ['', []]
  ])('%s is %j', (line, args) => {
    expect(splitCommand(line)).toEqual(args);
    expect(splitCommand(joinCommand(args))).toEqual(args);
  });
});

describe('a draft', () => {
  const spec = {
    command: ['python', '-c', 'print(1)'],
    cwd: '/here',
    env: { A: 'b' },
    name: 'one',
    gang: false,
    tasks: 3,
    grace_s: 5,
    request: { gpu: '0.5', gpu_limit: 1, models: ['A100'] }
  };

  it('comes back as what it was made of', () => {
    expect(toSpec(toDraft(spec), spec)).toEqual(spec);
  });

  it('leaves what is empty to the engine', () => {
    expect(toSpec(toDraft({ command: ['x'], cwd: '.' }))).toEqual({
      command: ['x'],
      cwd: '.',
      request: {}
    });
  });

  it('passes on what is no number: the server says what is wrong', () => {
    const draft = { ...toDraft(spec), retries: 'many', gpu: '2' };
    expect(toSpec(draft)).toMatchObject({
      retries: 'many',
      request: { gpu: 2 }
    });
  });

  it('takes a remedy over', () => {
    const remedy = { request: { gpu: '0.4' }, min_tasks: null, priority: 90 };
    expect(changed(spec, remedy)).toEqual({
      ...spec,
      request: { gpu: '0.4' },
      priority: 90
    });
    expect(changed(spec, null)).toEqual(spec);
  });

  it('is remembered, less its name', () => {
    const usual = toDraft({ cwd: '.' });
    const saved = { ...toDraft(spec), tasks: 7, gone: 'x' };
    const draft = restoreDraft(saved, usual);
    expect(draft).toMatchObject({ cwd: '/here', name: '', tasks: '' });
    expect(draft).not.toHaveProperty('gone');
    expect(restoreDraft(undefined, usual)).toEqual(usual);
  });
});

describe('the schema', () => {
  const schema = new SubmissionSchema({
    $defs: {
      WorkloadSpec: {
        required: ['command'],
        properties: {
          tasks: { type: 'integer', maximum: 1000, default: 1 },
          min_tasks: {
            anyOf: [{ type: 'null' }, { type: 'integer', minimum: 1 }],
            default: null
          }
        }
      },
      TaskRequest: { properties: { cpu_milli: { type: 'integer' } } }
    }
  });

  it('says what a field may be', () => {
    expect(schema.field('tasks')).toMatchObject({ maximum: 1000 });
    expect(schema.field('min_tasks')).toMatchObject({ minimum: 1 });
    expect(schema.field('cpu_milli')).toMatchObject({ type: 'integer' });
    expect(schema.field('cwd')).toEqual({});
    expect(schema.isRequired('command')).toBe(true);
    expect(schema.isRequired('tasks')).toBe(false);
  });

  it('knows which field a refusal is about', () => {
    const message = 'Expected `int`, got `str` - at `$.request.cpu_milli`.';
    expect(fieldOfProblem(message)).toBe('cpu_milli');
    expect(fieldOfProblem('Nothing fits.')).toBeNull();
  });
});
