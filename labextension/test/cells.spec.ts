import { askRunLine } from '../src/cells/askRunLine';
import { readRunLine, withRunLine } from '../src/cells/runLine';
import { ask } from '../src/ask';
import { CommandIDs, NO_ARGS } from '../src/commands';
import { cellsPlugin } from '../src/plugins/cells';
import type { Values } from '../src/submission/filling';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import { template } from './helpers/sample';
import { trans } from './helpers/views';

jest.mock('../src/ask', () => ({ ask: jest.fn() }));

const asked = jest.mocked(ask);

/** A code cell with this source, as much as is used of it. */
function fakeCell(source: string, type = 'code') {
  const cell = {
    isDisposed: false,
    source,
    model: {
      type,
      sharedModel: {
        getSource: () => cell.source,
        setSource: (next: string) => {
          cell.source = next;
        }
      }
    }
  };
  return cell;
}

describe('running a cell on a GPU', () => {
  const ran = jest.fn();
  const execute = jest.fn(() => ({ done: Promise.resolve() }));
  let app: FakeApp;
  let notebooks: { activeCell: unknown; currentWidget: unknown };

  beforeEach(() => {
    jest.clearAllMocks();
    asked.mockReset();
    app = new FakeApp();
    app.commands.addCommand('notebook:run-cell', {
      describedBy: { args: NO_ARGS },
      execute: ran
    });
    const session = { kernel: { requestExecute: execute } };
    notebooks = {
      activeCell: null,
      currentWidget: { sessionContext: { session } }
    };
    void cellsPlugin.activate(app.frontEnd, liveModel(), notebooks, null);
  });

  function answer(values: Values | null): void {
    asked.mockImplementationOnce(({ first }) =>
      Promise.resolve(values === null ? null : { ...first, ...values })
    );
  }

  async function run(source: string, args = {}): Promise<string> {
    const cell = fakeCell(source);
    notebooks.activeCell = cell;
    await app.commands.execute(CommandIDs.runCell, args);
    return cell.source;
  }

  it.each([
    [{ gpu: '2' }, '%%runai train --gpu 2\nx = 1'],
    [{ gpu: 'auto', detach: true }, '%%runai train --gpu auto --detach\nx = 1'],
    [{ workers: '4' }, '%%runai train --gpu 0.5 --workers 4\nx = 1'],
    [{ workers: '2:8' }, '%%runai train --gpu 0.5 --elastic 2:8\nx = 1'],
    [{ detach: false }, '%%runai train --gpu 0.5\nx = 1']
  ])('with %j asks nothing', async (args, source) => {
    expect(await run('x = 1', args)).toBe(source);
    expect(asked).not.toHaveBeenCalled();
    expect(ran).toHaveBeenCalledTimes(1);
  });

  it('writes what the user says above the code, loads the magics, and runs it', async () => {
    answer({ gpu: '0.25', outputs: 'model, score', rest: '--project vision' });
    expect(await run('x = 1')).toBe(
      '%%runai train --gpu 0.25 -o model,score --project vision\nx = 1'
    );
    expect(execute).toHaveBeenCalledWith(
      expect.objectContaining({ code: '%load_ext jupyter_runai', silent: true })
    );
    expect(ran).toHaveBeenCalledTimes(1);
  });

  it('names the template that was chosen, and what was changed of it', async () => {
    answer({ template: 'small', environment: 'torch', gpu: '0.25' });
    expect(await run('x = 1')).toBe(
      '%%runai train --template small --environment torch --gpu 0.25\nx = 1'
    );
  });

  it('leaves the cell as it is where the user gives up', async () => {
    answer(null);
    expect(await run('x = 1')).toBe('x = 1');
    expect(ran).not.toHaveBeenCalled();
  });

  it('begins with what the cell says', async () => {
    answer(null);
    await run('%%runai run --gpu 1 --detach -p a\nx');
    expect(asked.mock.calls[0]?.[0].first).toEqual({
      verb: 'run',
      template: '',
      environment: '',
      gpu: '1',
      tasks: '',
      outputs: '',
      detach: 'yes',
      rest: '-p a'
    });
  });

  it('begins with what was said last, but for the variables of that cell', async () => {
    answer({ gpu: '2', tasks: '3', outputs: 'model' });
    await run('x = 1');
    answer(null);
    await run('y = 2');
    expect(asked.mock.calls[1]?.[0].first).toMatchObject({
      gpu: '2',
      tasks: '3',
      outputs: ''
    });
  });

  it('keeps what the cell says beside what it is given', async () => {
    const source = await run('%%runai run --gpu 1 -o a --name n\nx', {
      gpu: '2'
    });
    expect(source).toBe('%%runai run --gpu 2 -o a --name n\nx');
  });

  it('writes into no cell that was deleted meanwhile', async () => {
    const cell = fakeCell('x = 1');
    notebooks.activeCell = cell;
    asked.mockImplementationOnce(({ first }) => {
      cell.isDisposed = true;
      return Promise.resolve(first);
    });
    await app.commands.execute(CommandIDs.runCell);
    expect(cell.source).toBe('x = 1');
    expect(ran).not.toHaveBeenCalled();
  });

  it('keeps what was typed into the cell while the question was open', async () => {
    const cell = fakeCell('x = 1');
    notebooks.activeCell = cell;
    asked.mockImplementationOnce(({ first }) => {
      cell.source = 'x = 2';
      return Promise.resolve(first);
    });
    await app.commands.execute(CommandIDs.runCell);
    expect(cell.source).toBe('%%runai train --gpu 0.5\nx = 2');
  });

  it.each([
    ['of text', fakeCell('# Title', 'markdown')],
    ['that there is not', null]
  ])('is not for a cell %s', async (_, cell) => {
    notebooks.activeCell = cell;
    expect(app.commands.isEnabled(CommandIDs.runCell)).toBe(false);
    await app.commands.execute(CommandIDs.runCell, { gpu: '1' });
    expect(ran).not.toHaveBeenCalled();
  });

  it('runs where no kernel is there yet, which the notebook asks for', async () => {
    notebooks.currentWidget = { sessionContext: { session: null } };
    await run('x = 1', { gpu: '1' });
    expect(execute).not.toHaveBeenCalled();
    expect(ran).toHaveBeenCalledTimes(1);
  });

  it('has its icon in menus, not in the palette', () => {
    const { commands } = app;
    expect(commands.icon(CommandIDs.runCell, {})).toBeDefined();
    expect(commands.icon(CommandIDs.runCell, { isPalette: true })).toBe(
      undefined
    );
  });
});

describe('the question what a cell is to run on', () => {
  const first = {
    verb: 'train',
    template: '',
    environment: '',
    gpu: '0.5',
    workers: '',
    outputs: '',
    detach: false,
    rest: ''
  };

  const model = liveModel();
  model.catalog = {
    templates: [
      template({ name: 'small', gpu_memory: 4096, project: 'nlp' }),
      template({
        name: 'wide',
        gpu: 1,
        workers: 2,
        priority: 'medium',
        max_time: 7200
      })
    ],
    environments: []
  };

  async function foresee(values: Values): Promise<unknown> {
    asked.mockReset();
    asked.mockResolvedValue(null);
    await askRunLine(model, first, trans);
    return asked.mock.calls[0]?.[0].foresee?.(values);
  }

  it.each([
    [{ gpu: '0.5' }, { kind: 'training', request: { gpu: '0.5' } }],
    [
      { verb: 'run', gpu: '2' },
      { kind: 'interactive', request: { gpu: 2 } }
    ],
    [{ gpu: 'auto' }, { kind: 'training', request: {} }],
    [
      { gpu: '1', tasks: '4' },
      { tasks: 4, request: { gpu: 1 } }
    ],
    [
      { gpu: '1', tasks: '2:8' },
      { tasks: 8, min_tasks: 2 }
    ],
    [{ gpu: '1', tasks: 'many' }, { tasks: 'many' }],
    [
      { gpu: '', template: 'small' },
      { queue: 'nlp', request: { gpu_memory_mib: 4096 } }
    ],
    [
      { gpu: '1', template: 'small' },
      { queue: 'nlp', request: { gpu: 1 } }
    ],
    [
      { gpu: '', template: 'wide' },
      { tasks: 2, priority: 80, max_run_s: 7200, request: { gpu: 1 } }
    ],
    [{ gpu: '0.5', tasks: '1', template: 'wide' }, { tasks: 1 }],
    [
      { gpu: '1', template: 'wide', rest: '-p vision --priority=low' },
      { queue: 'vision', priority: 40 }
    ],
    [{ gpu: '1', rest: '--gpu-memory 20G' }, { request: {} }],
    [{ gpu: '' }, { request: { gpu: 0 } }]
  ])('foresees of %j: %j', async (values, spec) => {
    expect(await foresee(values)).toMatchObject(spec);
  });

  it('foresees no number of tasks where none is typed', async () => {
    const spec = await foresee({ gpu: '1' });
    expect(spec).not.toHaveProperty('tasks');
    expect(spec).not.toHaveProperty('min_tasks');
  });

  it('offers the templates that there are', async () => {
    await foresee({});
    const { fields = [], catalog } = asked.mock.calls[0]?.[0] ?? {};
    expect(fields[0]?.schema?.enum).toEqual(['', 'small', 'wide']);
    expect(catalog).toBe(model.catalog);
  });

  it('keeps names that the catalog does not know where they are seen', async () => {
    asked.mockReset();
    asked.mockResolvedValue(null);
    const line = { ...first, template: 'old', environment: 'gone', rest: '-v' };
    await askRunLine(model, line, trans);
    expect(asked.mock.calls[0]?.[0].first).toMatchObject({
      template: '',
      environment: '',
      rest: '--template old --environment gone -v'
    });
    await askRunLine(model, { ...first, template: 'wide' }, trans);
    expect(asked.mock.calls[1]?.[0].first).toMatchObject({
      template: 'wide',
      rest: ''
    });
  });

  it('is answered by a line, or by none', async () => {
    asked.mockResolvedValueOnce({
      verb: 'run',
      gpu: '1',
      tasks: '2:4',
      outputs: 'a',
      detach: 'yes',
      rest: '-p b'
    });
    await expect(askRunLine(liveModel(), first, trans)).resolves.toEqual({
      verb: 'run',
      template: '',
      environment: '',
      gpu: '1',
      workers: '2:4',
      outputs: 'a',
      detach: true,
      rest: '-p b'
    });
    asked.mockResolvedValueOnce(null);
    await expect(askRunLine(liveModel(), first, trans)).resolves.toBeNull();
  });
});

describe('a line that is read and written again', () => {
  it.each([
    '%%runai train --gpu 0.5\nx = 1\n',
    '%%runai run --gpu auto --detach\n',
    '%%runai train --gpu 2 --elastic 2:8 -o a,b --name n\n\n\nx',
    "%%runai train --name 'it'\\''s'\nx",
    "%%runai train --name 'two words' --priority high\nprint('%%runai')"
  ])('is as it was: %j', source => {
    const line = readRunLine(source);
    expect(line).not.toBeNull();
    expect(line === null ? '' : withRunLine(source, line)).toBe(source);
  });

  it.each([
    ['%%runai\nx', 'train', ''],
    ['%%runai run\nx', 'run', ''],
    ['%%runai train --gpu\nx', 'train', ''],
    ['%%runai train --gpu=', 'train', ''],
    ['%%runai train --gpu 1 --gpu 2', 'train', '2'],
    ['  \n\n%%runai train --devices=3', 'train', '3']
  ])('%j is for %s on %j', (source, verb, gpu) => {
    expect(readRunLine(source)).toMatchObject({ verb, gpu });
  });

  it.each(['x = 1\n%%runai train', '', '\n', ' %%runai train', '%runai list'])(
    'is none in %j',
    source => {
      expect(readRunLine(source)).toBeNull();
    }
  );
});
