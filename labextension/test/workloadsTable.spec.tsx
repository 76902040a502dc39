import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import type { JSX } from 'react';

import type { ITableActions } from '../src/components/actions';
import { WorkloadsTable } from '../src/components/table/WorkloadsTable';
import { columns } from '../src/table/columns';
import { defaultLayout } from '../src/table/layout';
import type { ILayout } from '../src/table/layout';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { workload } from './helpers/sample';
import { fakeTableActions, frame, trans } from './helpers/views';

let layout: ILayout;

function Shown(props: {
  model: FakeModel;
  actions: ITableActions;
}): JSX.Element {
  const [current, setCurrent] = useState(defaultLayout(columns(trans)));
  return (
    <WorkloadsTable
      {...props}
      layout={current}
      trans={trans}
      isVisible
      changeLayout={change => {
        setCurrent(before => (layout = change(before)));
      }}
    />
  );
}

function show(
  model = some(),
  actions = fakeTableActions()
): jest.Mocked<ITableActions> {
  render(<Shown model={model} actions={actions} />);
  return actions;
}

function some(): FakeModel {
  return liveModel({
    workloads: [
      workload({ id: 'w1', name: 'alpha', queue: 'x', created: 3 }),
      workload({ id: 'w2', name: 'beta', queue: 'y', created: 2 }),
      workload({ id: 'w3', name: 'gamma', owner: 'other', created: 1 }),
      workload({ id: 'w4', name: 'done', state: 'completed', created: 0 })
    ]
  });
}

function names(): (string | undefined)[] {
  return [...document.querySelectorAll('.jp-Runai-gridRow')].map(
    row =>
      row.querySelector('.jp-Runai-workloadName, .jp-Runai-groupButton')
        ?.textContent ?? undefined
  );
}

describe('the workloads table', () => {
  beforeAll(() => {
    // The size of everything, which is not laid out here.
    Object.defineProperties(HTMLElement.prototype, {
      offsetHeight: { configurable: true, value: 520 },
      offsetWidth: { configurable: true, value: 1000 },
      clientHeight: { configurable: true, value: 520 }
    });
  });

  it('is a grid with a row for each workload, newest first', () => {
    show();
    const grid = screen.getByRole('grid', { name: 'Workloads' });
    expect(grid).toHaveAttribute('aria-rowcount', '5');
    expect(names()).toEqual(['alpha', 'beta', 'gamma', 'done']);
    expect(screen.getByText('4 workloads')).toBeVisible();
    const row = screen.getByRole('row', { name: /alpha/ });
    expect(row).toHaveAttribute('aria-rowindex', '2');
    expect(within(row).getByText('running')).toBeVisible();
  });

  it('renders only what can be seen of ten thousand', () => {
    const workloads = Array.from({ length: 10_000 }, (_, place) =>
      workload({ id: `w${place}`, name: `n${place}`, created: place })
    );
    show(liveModel({ workloads }));
    expect(screen.getByRole('grid')).toHaveAttribute('aria-rowcount', '10001');
    expect(names().length).toBeLessThan(60);
  });

  it('filters as one types and says so of fields that there are not', async () => {
    show();
    const filter = screen.getByRole('searchbox', { name: 'Filter' });
    await userEvent.type(filter, 'project:y');
    expect(names()).toEqual(['beta']);
    expect(screen.getByText('1 of 4')).toBeVisible();
    await userEvent.type(filter, ' foo:1');
    expect(screen.getByText(/No such field: foo/)).toBeVisible();
    await userEvent.type(filter, '{Escape}');
    expect(names()).toHaveLength(4);
    await userEvent.type(filter, 'nothing-like-this');
    expect(screen.getByText('Nothing passes the filter.')).toBeVisible();
  });

  it('sorts by a click on a title', async () => {
    show();
    const title = screen.getByRole('button', { name: 'Workload' });
    await userEvent.click(title);
    expect(names()).toEqual(['alpha', 'beta', 'done', 'gamma']);
    await userEvent.click(title);
    expect(names()).toEqual(['gamma', 'done', 'beta', 'alpha']);
    expect(
      screen.getByRole('columnheader', { name: /Workload/ })
    ).toHaveAttribute('aria-sort', 'descending');
  });

  it('groups, and closes groups', async () => {
    show();
    await userEvent.selectOptions(
      screen.getByRole('combobox', { name: 'Group by' }),
      'Project'
    );
    const group = screen.getByRole('button', { name: /^x/ });
    expect(group).toHaveAttribute('aria-expanded', 'true');
    await userEvent.click(group);
    expect(names()).toEqual([
      '▾ default 2',
      'gamma',
      'done',
      '▸ x 1',
      '▾ y 1',
      'beta'
    ]);
  });

  it('shows, hides and moves columns', async () => {
    show();
    await userEvent.click(screen.getByRole('button', { name: 'Columns' }));
    await userEvent.click(screen.getByRole('checkbox', { name: 'Project' }));
    expect(screen.queryByRole('columnheader', { name: /Project/ })).toBeNull();
    await userEvent.click(
      screen.getByRole('button', { name: 'Move State to the left' })
    );
    expect(layout.order.slice(0, 2)).toEqual(['state', 'name']);
    await userEvent.click(
      screen.getByRole('button', { name: 'Back to the usual columns' })
    );
    expect(layout).toEqual(defaultLayout(columns(trans)));
    await userEvent.keyboard('{Escape}');
    expect(screen.getByRole('button', { name: 'Columns' })).toHaveAttribute(
      'aria-expanded',
      'false'
    );
  });

  it('acts on those selected that are mine and that it is for', async () => {
    const actions = show();
    await userEvent.click(
      screen.getByRole('checkbox', { name: 'Select all that are shown' })
    );
    expect(screen.getByText(/4 selected, 3 of them yours/)).toBeVisible();
    await userEvent.click(screen.getByRole('button', { name: 'Stop (2)' }));
    expect(actions.stopAll).toHaveBeenCalledWith(['w1', 'w2']);
    await userEvent.click(screen.getByRole('button', { name: 'Suspend (2)' }));
    expect(actions.suspendAll).toHaveBeenCalledWith(['w1', 'w2']);
    await userEvent.click(screen.getByRole('button', { name: 'Delete (1)' }));
    expect(actions.deleteAll).toHaveBeenCalledWith(['w4']);
    expect(screen.getByRole('button', { name: 'Resume' })).toBeDisabled();
    await userEvent.click(
      screen.getByRole('button', { name: 'Clear the selection' })
    );
    expect(screen.queryByRole('toolbar')).toBeNull();
  });

  it('selects a range with shift', async () => {
    show();
    const user = userEvent.setup();
    await user.click(screen.getByRole('checkbox', { name: 'Select alpha' }));
    await user.keyboard('{Shift>}');
    await user.click(screen.getByRole('checkbox', { name: 'Select gamma' }));
    await user.keyboard('{/Shift}');
    expect(screen.getByText(/3 selected/)).toBeVisible();
  });

  it('exports what is shown', async () => {
    const actions = show();
    await userEvent.type(screen.getByRole('searchbox'), 'name:alpha');
    await userEvent.click(screen.getByRole('button', { name: 'Export CSV' }));
    const [name, text] = actions.save.mock.calls[0] ?? [];
    expect(name).toBe('workloads.csv');
    expect(text?.split('\r\n')).toHaveLength(3);
    expect(text).toContain('alpha');
  });

  it('greys what it knew, with its time', async () => {
    const model = some();
    show(model);
    act(() => {
      model.connect({ phase: 'lost', heard: 0, problem: null });
    });
    await frame();
    expect(screen.getAllByRole('status')[0]).toHaveTextContent(
      /as of .*reconn/
    );
    expect(document.querySelector('.jp-mod-stale')).not.toBeNull();
  });
});

describe('the keyboard in the table', () => {
  it('goes from cell to cell, opens, sorts and selects', async () => {
    const actions = show();
    const user = userEvent.setup();
    act(() => {
      screen.getByRole('checkbox', { name: /Select all/ }).focus();
    });
    await user.keyboard('{ArrowDown}{ArrowRight}');
    expect(screen.getByRole('button', { name: 'alpha' })).toHaveFocus();
    await user.keyboard('{Enter}');
    expect(actions.openDetails).toHaveBeenCalledWith('w1');
    await user.keyboard('{ArrowRight}{ArrowDown}');
    expect(document.activeElement).toHaveTextContent('running');
    await user.keyboard(' ');
    expect(screen.getByText(/1 selected/)).toBeVisible();
    await user.keyboard('{Shift>}{ArrowDown}{/Shift}');
    expect(screen.getByText(/2 selected/)).toBeVisible();
    await user.keyboard('{Escape}');
    expect(screen.queryByText(/selected/)).toBeNull();
    await user.keyboard('{Control>}a{/Control}');
    expect(screen.getByText(/4 selected/)).toBeVisible();
    await user.keyboard('{Control>}{Home}{/Control}{ArrowRight}{Enter}');
    expect(layout).toMatchObject({ sortBy: 'name', isDescending: false });
  });

  it('resizes and moves columns', async () => {
    show();
    const user = userEvent.setup();
    act(() => {
      screen.getByRole('button', { name: 'State' }).focus();
    });
    await user.keyboard('{Shift>}{ArrowRight}{/Shift}');
    expect(layout.sizing).toEqual({ state: 126 });
    await user.keyboard('{Control>}{ArrowLeft}{/Control}');
    expect(layout.order[0]).toBe('state');
    expect(screen.getByRole('button', { name: 'State' })).toHaveFocus();
  });

  it('has one cell to tab to, which follows its workload', async () => {
    const model = some();
    show(model);
    const user = userEvent.setup();
    act(() => {
      screen.getByRole('button', { name: 'beta' }).focus();
    });
    await user.keyboard('{ArrowRight}');
    act(() => {
      model.tell({
        type: 'workload',
        epoch: 'a',
        seq: 1,
        workload: workload({ id: 'w9', name: 'newest', created: 99 })
      });
    });
    await frame();
    expect(names()).toEqual(['newest', 'alpha', 'beta', 'gamma', 'done']);
    expect(document.activeElement?.closest('[data-row="w2"]')).not.toBeNull();
    const tabbable = screen
      .getByRole('grid')
      .querySelectorAll('[tabindex="0"]');
    expect(tabbable).toHaveLength(1);
  });
});
