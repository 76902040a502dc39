import {
  environmentWords,
  originWords,
  policyWords
} from '../src/format/origin';
import { catalogFields } from '../src/components/submit/catalogFields';
import { NO_CATALOG, catalogOf } from '../src/submission/catalog';
import { environmentOf, typed, withValue } from '../src/submission/filling';
import type { IFilling, Values } from '../src/submission/filling';
import { EngineError } from '../src/model/api';
import type { ICatalog } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import { clause, environment, template } from './helpers/sample';
import { trans } from './helpers/views';

const CATALOG: ICatalog = {
  templates: [
    template({
      name: 'quick',
      gpu: '0.25',
      max_time: 7200,
      priority: 'medium'
    }),
    template({ name: 'wide', gpu: 2, workers: 4, environment: 'torch' }),
    template({ name: 'memory', gpu_memory: 20480, kind: 'workspace' }),
    template({
      name: 'jax',
      environment: 'jax',
      project: 'vision',
      retries: 3
    }),
    template({ name: 'bare' })
  ],
  environments: [
    environment({
      name: 'torch',
      python: '/opt/torch/bin/python',
      folder: '/data'
    }),
    environment({ name: 'jax', variables: { JAX: '1' } })
  ]
};

const EMPTY: Values = {
  template: '',
  environment: '',
  cwd: '/home/me',
  kind: '',
  queue: '',
  priority: '',
  gpu: '1',
  gpu_memory_mib: '',
  tasks: '',
  retries: '',
  max_run_s: ''
};

/** What becomes of a form when people change one field after the other. */
function filled(...changes: [string, string][]): IFilling {
  return changes.reduce(
    (filling, [field, value]) => withValue(filling, field, value, CATALOG),
    typed(EMPTY)
  );
}

describe('a template', () => {
  it('fills in what it says, and says so of each field', () => {
    const { values, origins } = filled(['template', 'quick']);
    expect(values).toEqual({
      ...EMPTY,
      template: 'quick',
      gpu: '0.25',
      max_run_s: '7200',
      priority: '80'
    });
    const by = { by: 'template', name: 'quick' };
    expect(origins).toEqual({
      gpu: { ...by, before: '1' },
      gpu_memory_mib: { ...by, before: '' },
      max_run_s: { ...by, before: '' },
      priority: { ...by, before: '' }
    });
  });

  it.each([
    ['very-low', '25'],
    ['low', '40'],
    ['medium-low', '65'],
    ['medium', '80'],
    ['medium-high', '90'],
    ['high', '125'],
    ['very-high', '150'],
    ['of another engine', '']
  ])('with the priority %s fills in %s', (priority, number) => {
    const catalog = { ...NO_CATALOG, templates: [template({ priority })] };
    const { values } = withValue(typed(EMPTY), 'template', 'quick', catalog);
    expect(values.priority).toBe(number);
  });

  it('leaves what it does not say as it was', () => {
    const { values, origins } = filled(['template', 'bare']);
    expect(values).toEqual({ ...EMPTY, template: 'bare' });
    expect(origins).toEqual({});
  });

  it('asks for memory instead of a share, and the other way round', () => {
    const { values } = filled(['template', 'memory']);
    expect(values).toMatchObject({ gpu: '', gpu_memory_mib: '20480' });
    const share = filled(
      ['gpu', ''],
      ['gpu_memory_mib', '5'],
      ['template', 'quick']
    );
    expect(share.values).toMatchObject({ gpu: '0.25', gpu_memory_mib: '' });
  });

  it('is taken back whole where another is chosen, or none', () => {
    const other = filled(['template', 'quick'], ['template', 'wide']);
    expect(other.values).toMatchObject({
      gpu: '2',
      tasks: '4',
      max_run_s: '',
      priority: ''
    });
    const none = filled(['template', 'wide'], ['template', '']);
    expect(none).toEqual(typed(EMPTY));
  });

  it('leaves alone what people have changed since', () => {
    const { values, origins } = filled(
      ['template', 'quick'],
      ['gpu', '0.75'],
      ['template', '']
    );
    expect(values).toMatchObject({ gpu: '0.75', max_run_s: '' });
    expect(origins).toEqual({});
  });

  it('says no longer that it filled in what somebody has typed', () => {
    const { origins } = filled(['template', 'quick'], ['gpu', '0.25']);
    expect(Object.keys(origins)).toEqual([
      'gpu_memory_mib',
      'max_run_s',
      'priority'
    ]);
  });

  it('fills in no field that the form has not', () => {
    const form = { template: '', gpu: '1', queue: '' };
    const { values } = withValue(typed(form), 'template', 'jax', CATALOG);
    expect(values).toEqual({ template: 'jax', gpu: '1', queue: 'vision' });
  });

  it('that there is not fills in nothing', () => {
    const { values } = filled(['template', 'quick'], ['template', 'gone']);
    expect(values).toEqual({ ...EMPTY, template: 'gone' });
  });
});

describe('an environment', () => {
  it('fills in its folder', () => {
    const { values, origins } = filled(['environment', 'torch']);
    expect(values.cwd).toBe('/data');
    expect(origins).toEqual({
      cwd: { by: 'environment', name: 'torch', before: '/home/me' }
    });
  });

  it('without a folder leaves the one that is there', () => {
    const { values } = filled(['environment', 'torch'], ['environment', 'jax']);
    expect(values.cwd).toBe('/home/me');
  });

  it('comes with a template and goes with it', () => {
    const wide = filled(['template', 'wide']);
    expect(wide.values).toMatchObject({ environment: 'torch', cwd: '/data' });
    expect(wide.origins.environment?.by).toBe('template');
    expect(wide.origins.cwd?.by).toBe('environment');
    const { values } = filled(['template', 'wide'], ['template', 'quick']);
    expect(values).toMatchObject({ environment: '', cwd: '/home/me' });
  });

  it('that people chose beside a template stays when that goes', () => {
    const { values } = filled(
      ['template', 'wide'],
      ['environment', 'jax'],
      ['template', '']
    );
    expect(values).toMatchObject({ environment: 'jax', cwd: '/home/me' });
  });

  it('leaves a folder alone that people have typed', () => {
    const { values } = filled(
      ['environment', 'torch'],
      ['cwd', '/mine'],
      ['environment', '']
    );
    expect(values.cwd).toBe('/mine');
  });

  it('is found by its name', () => {
    expect(environmentOf({ environment: 'jax' }, CATALOG)?.name).toBe('jax');
    expect(environmentOf({ environment: '' }, CATALOG)).toBeUndefined();
    expect(environmentOf({}, CATALOG)).toBeUndefined();
  });

  it('says what it has', () => {
    expect(
      environmentWords(
        environment({
          python: '/opt/python',
          packages: ['torch==2.4', 'numpy'],
          variables: { A: '1', B: 'x y' }
        })
      )
    ).toBe('/opt/python · torch==2.4 · numpy · A=1 · B=x y');
    expect(environmentWords(environment())).toBe('');
  });
});

describe('the choice in a form', () => {
  const names = (kind: 'training' | 'workspace' | null): unknown[] =>
    catalogFields(CATALOG, kind, trans).map(({ schema }) => schema?.enum);

  it('is of all templates, or of those for a kind of work', () => {
    const all = ['', 'quick', 'wide', 'memory', 'jax', 'bare'];
    expect(names(null)).toEqual([all, ['', 'torch', 'jax']]);
    expect(names('workspace')[0]).toEqual(all);
    expect(names('training')[0]).not.toContain('memory');
  });

  it('is not there where there is nothing to choose', () => {
    expect(catalogFields(NO_CATALOG, null, trans)).toEqual([]);
    const one = { ...NO_CATALOG, environments: [environment()] };
    expect(catalogFields(one, null, trans).map(({ field }) => field)).toEqual([
      'environment'
    ]);
  });

  it('is nothing where the engine does not answer, and faults are thrown', async () => {
    const model = liveModel();
    model.catalog = CATALOG;
    await expect(catalogOf(model)).resolves.toBe(CATALOG);
    model.requests.catalog.mockRejectedValueOnce(
      new EngineError({ code: 'unreachable', message: 'Gone.', hint: '' })
    );
    await expect(catalogOf(model)).resolves.toBe(NO_CATALOG);
    model.requests.catalog.mockRejectedValueOnce(new TypeError('ours'));
    await expect(catalogOf(model)).rejects.toThrow('ours');
  });
});

describe('what is said of a field', () => {
  it('is who has filled it in', () => {
    const origin = { name: 'quick', before: '' };
    expect(originWords({ ...origin, by: 'template' }, trans)).toBe(
      'From the template quick'
    );
    expect(originWords({ ...origin, by: 'environment' }, trans)).toBe(
      'From the environment quick'
    );
  });

  it.each([
    ['default', 'Empty for 0.5, says project vision'],
    ['min', 'At least 0.5, says project vision'],
    ['max', 'At most 0.5, says project vision'],
    ['options', 'One of 0.5, says project vision'],
    ['required', 'Has to be said, says project vision']
  ])('is the %s that a policy has for it', (rule, words) => {
    expect(policyWords('gpu', [clause({ rule })], trans)).toEqual([words]);
  });

  it.each([
    ['name', 'name'],
    ['gpu', 'gpu'],
    ['tasks', 'workers'],
    ['tasks', 'devices'],
    ['retries', 'retries'],
    ['priority', 'priority'],
    ['preemptible', 'preemptible'],
    ['max_run_s', 'max_time']
  ])('is below %s what a policy says of %s', (field, name) => {
    const clauses = [clause({ field: name }), clause({ field: 'idle' })];
    expect(policyWords(field, clauses, trans)).toHaveLength(1);
  });

  it('is of all tasks together where a policy counts devices', () => {
    const clauses = [
      clause({ field: 'workers', value: '8' }),
      clause({ field: 'devices', value: '4' })
    ];
    expect(policyWords('tasks', clauses, trans)).toEqual([
      'At most 8, says project vision',
      'All together at most 4 devices, says project vision'
    ]);
  });

  it('is nothing of what no field is for, or a newer engine says', () => {
    expect(policyWords('command', [clause()], trans)).toEqual([]);
    expect(policyWords('gpu', [clause({ rule: 'newer' })], trans)).toEqual([]);
    expect(policyWords('gpu', [clause({ field: 'name' })], trans)).toEqual([]);
  });
});
