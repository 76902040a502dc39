import { act, renderHook } from '@testing-library/react';
import { useState } from 'react';

import { useColumns } from '../src/components/table/useColumns';
import type { IColumnLayout } from '../src/components/table/useColumns';
import { useSelection } from '../src/components/table/useSelection';
import type { ISelection } from '../src/components/table/useSelection';
import { columns } from '../src/table/columns';
import type { ColumnId, IColumn } from '../src/table/columns';
import { toCsv } from '../src/table/csv';
import {
  LEAST_SIZE,
  MOST_SIZE,
  defaultLayout,
  moved,
  restoreLayout
} from '../src/table/layout';
import type { ILayout } from '../src/table/layout';
import { toJson } from '../src/json';
import type { IWorkload } from '../src/wire';
import { STATES, allocation, workload } from './helpers/sample';
import { trans } from './helpers/views';

const ALL = columns(trans);

function column(id: ColumnId): IColumn {
  const found = ALL.find(each => each.id === id);
  if (found === undefined) {
    throw new Error(`no column ${id}`);
  }
  return found;
}

describe('the columns of the table', () => {
  let shown: { readonly current: { columns: IColumnLayout; layout: ILayout } };

  function show(first: ILayout = defaultLayout(ALL)): void {
    const { result } = renderHook(() => {
      const [layout, change] = useState(first);
      return { columns: useColumns(ALL, layout, change), layout };
    });
    shown = result;
  }

  function visible(): ColumnId[] {
    return shown.current.columns.visible.map(({ id }) => id);
  }

  it('are all but those that are hidden at first', () => {
    show();
    const hidden = ALL.filter(({ isHidden }) => isHidden).map(({ id }) => id);
    expect(hidden).toContain('id');
    expect(visible()).toEqual(
      ALL.map(({ id }) => id).filter(id => !hidden.includes(id))
    );
    expect(shown.current.columns.all).toHaveLength(ALL.length);
  });

  it('are shown and hidden', () => {
    show();
    act(() => {
      shown.current.columns.show('id', true);
    });
    expect(visible().at(-1)).toBe('id');
    act(() => {
      shown.current.columns.show('name', false);
    });
    expect(visible()).not.toContain('name');
    expect(shown.current.columns.isVisible('name')).toBe(false);
    expect(shown.current.layout.visibility).toMatchObject({
      id: true,
      name: false
    });
  });

  it('are moved, also past those that are hidden', () => {
    show();
    act(() => {
      shown.current.columns.move('state', -1);
    });
    expect(visible().slice(0, 2)).toEqual(['state', 'name']);
    expect(shown.current.columns.all[0]?.id).toBe('state');
  });

  it('are as wide as somebody wants them, within bounds', () => {
    show();
    const widen = (by: number): number => {
      act(() => {
        shown.current.columns.widen('name', by);
      });
      return shown.current.layout.sizing.name ?? 0;
    };
    expect(widen(20)).toBe(column('name').size + 20);
    expect(widen(-10_000)).toBe(LEAST_SIZE);
    expect(widen(10_000)).toBe(MOST_SIZE);
    const { template, width } = shown.current.columns;
    expect(template.split(' ')[1]).toBe(`${MOST_SIZE}px`);
    const sizes = template.split(' ').map(size => parseInt(size, 10));
    expect(sizes).toHaveLength(visible().length + 1);
    expect(width).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it('are sorted by: each anew upwards, the same the other way round', () => {
    show();
    const sort = (id: ColumnId): string => {
      act(() => {
        shown.current.columns.sort(id);
      });
      return shown.current.columns.sorting(id);
    };
    expect(shown.current.columns.sorting('created')).toBe('descending');
    expect(sort('name')).toBe('ascending');
    expect(sort('name')).toBe('descending');
    expect(shown.current.columns.sorting('created')).toBe('none');
    expect(sort('created')).toBe('ascending');
  });

  it('come back as they were left', () => {
    show();
    act(() => {
      shown.current.columns.move('owner', -3);
      shown.current.columns.show('id', true);
      shown.current.columns.widen('state', 40);
      shown.current.columns.sort('queue');
    });
    const { layout } = shown.current;
    const before = visible();
    show(restoreLayout(toJson(layout), ALL));
    expect(shown.current.layout).toEqual(layout);
    expect(visible()).toEqual(before);
  });

  it('that a newer version adds come last, shown as they usually are', () => {
    const before = defaultLayout(
      ALL.filter(({ id }) => id !== 'idle' && id !== 'node')
    );
    const saved = toJson(before);
    const layout = restoreLayout(saved, ALL);
    expect(layout.order.slice(-2)).toEqual(['node', 'idle']);
    expect(layout.visibility).toMatchObject({ idle: true, node: false });
  });

  it.each([
    ['order', 'name'],
    ['order', { name: 1 }],
    ['visibility', ['name']],
    ['visibility', null],
    ['sizing', 7],
    ['sizing', { name: '300' }],
    ['sizing', { name: LEAST_SIZE - 1, state: MOST_SIZE + 1 }],
    ['sortBy', null],
    ['isDescending', 1],
    ['groupBy', ['state']]
  ])('are the usual ones where their %s is %j', (part, value) => {
    const saved = { ...toJson(defaultLayout(ALL)), [part]: value };
    expect(restoreLayout(saved, ALL)).toEqual(defaultLayout(ALL));
  });

  it.each([
    [0, -1, 0],
    [0, 1, 1],
    [1, -1, 0],
    [3, -99, 0],
    [3, 99, ALL.length - 1],
    [ALL.length - 1, 1, ALL.length - 1]
  ])('go from place %d by %d to %d, and none is lost', (from, by, to) => {
    const layout = defaultLayout(ALL);
    const id = layout.order[from] ?? 'name';
    const { order } = moved(layout, id, by);
    expect(order.indexOf(id)).toBe(to);
    expect([...order].sort()).toEqual([...layout.order].sort());
  });
});

describe('the selection', () => {
  const some = ['a', 'b', 'c', 'd', 'e'].map(id => workload({ id }));
  let selection: { readonly current: ISelection };
  let rerender: (shown: IWorkload[]) => void;

  beforeEach(() => {
    const hook = renderHook((shown: IWorkload[]) => useSelection(shown), {
      initialProps: some
    });
    selection = hook.result;
    ({ rerender } = hook);
  });

  function toggle(id: string, isRange = false): string[] {
    act(() => {
      selection.current.toggle(id, isRange);
    });
    return [...selection.current.ids].sort();
  }

  it('takes one after the other, and back', () => {
    expect(toggle('a')).toEqual(['a']);
    expect(toggle('c')).toEqual(['a', 'c']);
    expect(toggle('a')).toEqual(['c']);
  });

  it('takes all between two, in either direction', () => {
    toggle('b');
    expect(toggle('d', true)).toEqual(['b', 'c', 'd']);
    expect(toggle('a', true)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('takes one where a range has no beginning', () => {
    expect(toggle('d', true)).toEqual(['d']);
    toggle('b');
    act(() => {
      rerender(some.filter(({ id }) => id !== 'b'));
    });
    expect(toggle('e', true)).toEqual(['d', 'e']);
  });

  it('is of what is shown: a filter takes the others out, for good', () => {
    toggle('a');
    toggle('b');
    act(() => {
      rerender(some.slice(1));
    });
    expect([...selection.current.ids]).toEqual(['b']);
    act(() => {
      rerender(some);
    });
    expect([...selection.current.ids]).toEqual(['b']);
  });

  it('follows the order that is shown now', () => {
    toggle('a');
    act(() => {
      rerender([...some].reverse());
    });
    expect(toggle('c', true)).toEqual(['a', 'b', 'c']);
  });

  it('is the same while nothing of it changes', () => {
    toggle('a');
    const { ids } = selection.current;
    act(() => {
      rerender(some.map(each => ({ ...each, priority: 1 })));
    });
    expect(selection.current.ids).toBe(ids);
  });

  it('is set as a whole', () => {
    act(() => {
      selection.current.set(['a', 'e']);
    });
    expect([...selection.current.ids]).toEqual(['a', 'e']);
    act(() => {
      selection.current.set([]);
    });
    expect(selection.current.ids.size).toBe(0);
  });
});

describe('what a column says', () => {
  const now = 2000;
  const held = workload({ allocation: allocation(), queue: 'vision' });

  it.each<[ColumnId, Partial<IWorkload>, string, number | string]>([
    ['name', {}, 'digits-1', 'digits-1'],
    ['state', { state: 'suspended' }, 'suspended', STATES.indexOf('suspended')],
    ['priority', { priority: 125 }, 'high', 125],
    ['preemptible', { preemptible: false }, 'no', 'no'],
    ['asked', { request: { gpu: '0.25' }, tasks: 4 }, '4 × 0.25', 1],
    ['asked', { request: { gpu: '0.5', gpu_devices: 2 } }, '2×0.5', 1],
    ['asked', { request: {} }, 'CPU', 0],
    ['held', {}, '0.5', 500],
    ['held', { allocation: null }, '', 0],
    ['node', {}, 'here', 'here'],
    ['node', { allocation: null }, '', ''],
    ['tasks', {}, '1 / 1', 1],
    ['tasks', { state: 'pending' }, '0 / 1', 0],
    ['tasks', { tasks: 4, task_states: { running: 3 } }, '3 / 4', 3],
    ['tasks', { tasks: 4, task_states: {} }, '0 / 4', 0],
    ['waited', { created: 1000, started: 1061 }, '1:01', 61],
    ['runtime', { started: 1000 }, '16:40', 1000],
    ['runtime', { started: null }, '', 0],
    ['runtime', { state: 'failed', started: 1000, ended: 1005 }, '0:05', 5],
    ['idle', {}, '', -1],
    ['ended', { ended: null }, '', Infinity],
    ['restarts', { restarts: 2 }, '2', 2],
    ['cpu', { request: { cpu_milli: 250 } }, '0.25', 0.25],
    ['memory', { request: { memory_mib: 2048 } }, '2 GB', 2048],
    ['id', {}, 'w1', 'w1']
  ])('%s of %j is %j, sorted by %j', (id, changes, text, key) => {
    const one = { ...held, ...changes };
    expect(column(id).text(one, now)).toBe(text);
    expect(column(id).key(one, now)).toBe(key);
  });

  it('has a title and a width of its own each', () => {
    expect(new Set(ALL.map(({ id }) => id)).size).toBe(ALL.length);
    expect(new Set(ALL.map(({ title }) => title)).size).toBe(ALL.length);
    for (const { size } of ALL) {
      expect(size).toBeGreaterThanOrEqual(LEAST_SIZE);
      expect(size).toBeLessThanOrEqual(MOST_SIZE);
    }
  });
});

describe('a table as a file', () => {
  function csv(...names: string[]): string[] {
    const workloads = names.map(name => workload({ name }));
    return toCsv(workloads, [column('name'), column('queue')], 0).split('\r\n');
  }

  it.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@sum', "'@sum"],
    ['=a,b', `"'=a,b"`],
    ['1=1', '1=1'],
    ['', ''],
    ['Größe 测试', 'Größe 测试']
  ])('has %j as %s', (name, field) => {
    expect(csv(name)[1]).toBe(`${field},default`);
  });

  it('has a line with titles, one for each workload, and ends with a line end', () => {
    expect(csv('a', 'b')).toEqual([
      'Workload,Project',
      'a,default',
      'b,default',
      ''
    ]);
    expect(csv()).toEqual(['Workload,Project', '']);
  });

  it('has the columns that are given, in their order', () => {
    const [titles] = toCsv([], [column('queue'), column('name')], 0).split(
      '\r'
    );
    expect(titles).toBe('Project,Workload');
  });
});
