import { Arranger } from '../src/table/arrange';
import type { IArrangement } from '../src/table/arrange';
import { columns } from '../src/table/columns';
import type { ColumnId, IColumn } from '../src/table/columns';
import { toCsv } from '../src/table/csv';
import {
  defaultLayout,
  moved,
  restoreLayout,
  sorted
} from '../src/table/layout';
import { placeAfter } from '../src/table/navigation';
import { matches, parseQuery } from '../src/table/query';
import { ME, activity, workload } from './helpers/sample';
import { trans } from './helpers/views';

const all = columns(trans);

function column(id: ColumnId): IColumn {
  const found = all.find(each => each.id === id);
  if (found === undefined) {
    throw new Error(`no column ${id}`);
  }
  return found;
}

function passes(filter: string, changes = {}): boolean {
  return matches(workload(changes), parseQuery(filter), ME);
}

const IDLE = activity();

describe('a filter', () => {
  it.each([
    ['state:running', {}, true],
    ['state:pending', {}, false],
    ['state:waiting', { state: 'pending' }, true],
    ['state:active', { state: 'initializing' }, true],
    ['state:ended', { state: 'failed', ended: 2 }, true],
    ['state:idle', {}, false],
    ['state:idle', { activity: IDLE }, true],
    ['state:idle', { activity: IDLE, state: 'failed', ended: 2 }, false],
    ['state:pending,running', {}, true],
    ['-state:running', {}, false],
    ['project:def', {}, true],
    ['PROJECT:DEF', {}, true],
    ['owner:me', {}, true],
    ['owner:me', { owner: 'mel' }, false],
    ['owner:me', { owner: 'other' }, false],
    ['owner:oth', { owner: 'other' }, true],
    ['type:train', {}, true],
    ['digits', {}, true],
    ['digits absent', {}, false],
    ['"dig its"', { name: 'dig its' }, true],
    ['node:n1', {}, false],
    ['device:', {}, true],
    ['', {}, true]
  ])('%s of %j is %s', (filter, changes, expected) => {
    expect(passes(filter, changes)).toBe(expected);
  });

  it('finds what is held by node and device', () => {
    const allocation = {
      node: 'n1',
      devices: [
        {
          id: 'G',
          index: 3,
          model: 'A100',
          portion_milli: 500,
          memory_mib: 1,
          limit_milli: null,
          limit_mib: null
        }
      ],
      enforcement: { level: 'none', memory: 'none', compute: 'none' }
    };
    expect(passes('node:n1', { allocation })).toBe(true);
    expect(passes('device:a100', { allocation })).toBe(true);
    expect(passes('device:"A100 #3"', { allocation })).toBe(true);
    expect(passes('device:h100', { allocation })).toBe(false);
  });

  it('names the fields that there are not', () => {
    expect(parseQuery('foo:1 state:running').unknown).toEqual(['foo']);
  });
});

describe('the arrangement', () => {
  const base: IArrangement = {
    query: parseQuery(''),
    user: ME,
    sortBy: column('name'),
    isDescending: false,
    groupBy: null,
    collapsed: new Set(),
    now: 2000
  };
  const some = [
    workload({ id: '1', name: 'b', queue: 'x', created: 1 }),
    workload({ id: '2', name: 'a', queue: 'y', created: 2 }),
    workload({ id: '3', name: 'c', queue: 'x', created: 3 })
  ];
  const names = (arrangement: IArrangement, workloads = some): string[] =>
    new Arranger()
      .arrange(workloads, arrangement)
      .rows.map(row => (row.type === 'group' ? row.key : row.workload.name));

  it('sorts both ways', () => {
    expect(names(base)).toEqual(['a', 'b', 'c']);
    expect(names({ ...base, isDescending: true })).toEqual(['c', 'b', 'a']);
  });

  it('puts the newest first of those that are alike', () => {
    const arrangement = { ...base, sortBy: column('kind') };
    expect(names(arrangement)).toEqual(['c', 'a', 'b']);
  });

  it('sorts states by the order of a life, not of the alphabet', () => {
    const workloads = [
      workload({ id: '1', name: 'done', state: 'completed' }),
      workload({ id: '2', name: 'waits', state: 'pending' })
    ];
    expect(names({ ...base, sortBy: column('state') }, workloads)).toEqual([
      'waits',
      'done'
    ]);
  });

  it('groups, counts, and leaves closed groups out', () => {
    const arrangement = { ...base, groupBy: column('queue') };
    expect(names(arrangement)).toEqual(['group:x', 'b', 'c', 'group:y', 'a']);
    const collapsed = new Set(['x']);
    expect(names({ ...arrangement, collapsed })).toEqual([
      'group:x',
      'group:y',
      'a'
    ]);
    const { rows } = new Arranger().arrange(some, arrangement);
    expect(rows[0]).toMatchObject({ key: 'group:x', count: 2 });
  });

  it('is the same from one time to the next, whatever changes', () => {
    const arranger = new Arranger();
    arranger.arrange(some, base);
    const [first, ...others] = some;
    const changed = [...others, { ...(first ?? workload()), name: 'z' }];
    expect(
      arranger.arrange(changed, base).shown.map(({ name }) => name)
    ).toEqual(['a', 'c', 'z']);
    expect(arranger.arrange([], base).rows).toEqual([]);
  });

  it('filters', () => {
    const query = parseQuery('project:y');
    expect(names({ ...base, query })).toEqual(['a']);
  });
});

describe('columns', () => {
  it('show and sort by every workload without a fault', () => {
    const bare = workload({
      state: 'pending',
      started: null,
      tasks: 4,
      request: { gpu_memory_mib: 2048, cpu_milli: 1500, memory_mib: 4096 }
    });
    const texts = Object.fromEntries(
      all.map(({ id, text }) => [id, text(bare, 1100)])
    );
    expect(texts).toMatchObject({
      name: 'digits-1',
      state: 'waiting',
      kind: 'distributed training',
      priority: 'low',
      preemptible: 'yes',
      asked: '4 × 2 GB',
      held: '',
      tasks: '0 / 4',
      waited: '1:40',
      runtime: '',
      ended: '',
      cpu: '1.5',
      memory: '4 GB',
      restarts: '0'
    });
    for (const { key } of all) {
      expect(['string', 'number']).toContain(typeof key(bare, 1100));
    }
  });
});

describe('the layout', () => {
  it('is the usual one where nothing is remembered', () => {
    const layout = restoreLayout(undefined, all);
    expect(layout).toEqual(defaultLayout(all));
    expect(layout.visibility).toMatchObject({ name: true, id: false });
  });

  it('is remembered', () => {
    const layout = {
      ...moved(defaultLayout(all), 'queue', -2),
      sizing: { name: 300 },
      groupBy: 'state' as const
    };
    expect(restoreLayout({ ...layout, order: [...layout.order] }, all)).toEqual(
      layout
    );
  });

  it('is as much of what is remembered as makes sense', () => {
    const layout = restoreLayout(
      {
        order: ['state', 'gone', 7, 'state'],
        visibility: { name: 'x', state: false, gone: true },
        sizing: { name: -1, state: 80 },
        sortBy: 'gone',
        isDescending: 'x',
        groupBy: 'gone'
      },
      all
    );
    expect(layout.order[0]).toBe('state');
    expect(new Set(layout.order).size).toBe(all.length);
    expect(layout.visibility).toMatchObject({ name: true, state: false });
    expect(layout.sizing).toEqual({ state: 80 });
    expect(layout).toMatchObject({
      sortBy: 'created',
      isDescending: true,
      groupBy: null
    });
  });

  it('moves columns within bounds', () => {
    const layout = defaultLayout(all);
    expect(moved(layout, 'name', -1).order).toEqual(layout.order);
    expect(moved(layout, 'name', 1).order.slice(0, 2)).toEqual([
      'state',
      'name'
    ]);
    expect(moved(layout, 'name', 99).order.at(-1)).toBe('name');
  });

  it('sorts by another column, or the other way round', () => {
    const byName = sorted(defaultLayout(all), 'name');
    expect(byName).toMatchObject({ sortBy: 'name', isDescending: false });
    expect(sorted(byName, 'name').isDescending).toBe(true);
  });
});

describe('comma-separated values', () => {
  it('quote what needs it and are no formula', () => {
    const lines = toCsv(
      [
        workload({ name: 'a,"b"', queue: '=1+1' }),
        workload({ name: 'plain', queue: '' })
      ],
      [column('name'), column('queue')],
      0
    );
    expect(lines).toBe('Workload,Project\r\n"a,""b""",\'=1+1\r\nplain,\r\n');
  });
});

describe('keys', () => {
  const bounds = { lastRow: 100, lastColumn: 5, page: 20 };
  const at = { row: 10, column: 2 };

  it.each([
    ['ArrowUp', false, { row: 9, column: 2 }],
    ['ArrowDown', false, { row: 11, column: 2 }],
    ['ArrowLeft', false, { row: 10, column: 1 }],
    ['ArrowRight', false, { row: 10, column: 3 }],
    ['PageUp', false, { row: 1, column: 2 }],
    ['PageDown', false, { row: 30, column: 2 }],
    ['Home', false, { row: 10, column: 0 }],
    ['End', false, { row: 10, column: 5 }],
    ['Home', true, { row: 0, column: 0 }],
    ['End', true, { row: 100, column: 5 }],
    ['x', false, null]
  ])('%s with control %s leads to %j', (key, isControl, to) => {
    expect(placeAfter(key, isControl, at, bounds)).toEqual(to);
  });

  it('lead nowhere beyond the edges', () => {
    const corner = { row: 100, column: 5 };
    expect(placeAfter('ArrowDown', false, corner, bounds)).toEqual(corner);
    expect(placeAfter('ArrowRight', false, corner, bounds)).toEqual(corner);
    const first = { row: 0, column: 0 };
    expect(placeAfter('ArrowUp', false, first, bounds)).toEqual(first);
  });
});
