import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { Panel } from '../src/components/Panel';
import { FakeModel, liveModel, workspacesOf } from './helpers/fakeModel';
import type { IArrangement } from '../src/panel/arrangement';
import { moved, restoreArrangement, USUAL } from '../src/panel/arrangement';
import { device, holder, info, queue, workload } from './helpers/sample';
import { fakeActions, frame, showPanel, trans } from './helpers/views';

describe('the connection', () => {
  it('says that the engine is starting', () => {
    showPanel(new FakeModel());
    expect(screen.getByText('The engine is starting…')).toBeVisible();
    expect(screen.getByRole('status')).toHaveTextContent('connecting');
  });

  it('says why it does not start and what to do', () => {
    const model = new FakeModel();
    model.connection = {
      phase: 'lost',
      heard: null,
      problem: { code: 'locked', message: 'It is locked.', hint: 'Wait.' }
    };
    showPanel(model);
    const alert = screen.getByRole('alert');
    expect(alert).toHaveTextContent('It is locked.');
    expect(alert).toHaveTextContent('Wait.');
    expect(screen.getByRole('status')).toHaveTextContent('reconnecting');
  });

  it('says that the server is gone where nobody said why', () => {
    const model = new FakeModel();
    model.connection = { phase: 'lost', heard: null, problem: null };
    showPanel(model);
    expect(
      screen.getByText(/No connection to the Jupyter server/)
    ).toBeVisible();
  });

  it('offers to log in again where the login has expired', () => {
    const model = liveModel();
    model.connection = {
      phase: 'lost',
      heard: 0,
      problem: { code: 'not_logged_in', message: 'Not any more.', hint: '' }
    };
    showPanel(model);
    const alert = screen.getByRole('alert');
    expect(alert).toHaveTextContent('Not any more.');
    expect(within(alert).getByRole('link')).toHaveAttribute('target', '_blank');
  });

  it('is live', () => {
    showPanel(liveModel());
    expect(screen.getByRole('status')).toHaveTextContent('live');
    expect(screen.getByRole('heading', { name: 'GPU' })).toBeVisible();
  });

  it('keeps what it knew, greyed and frozen, and says since when', async () => {
    const heard = new Date(2026, 0, 2, 10, 41, 3).getTime();
    const model = liveModel({
      workloads: [workload({ started: heard / 1000 - 41 })]
    });
    showPanel(model);
    act(() => {
      model.connect({ phase: 'lost', heard, problem: null });
    });
    await frame();
    expect(screen.getByRole('status')).toHaveTextContent(
      'as of 10:41:03, reconnecting'
    );
    const row = screen.getByRole('listitem');
    expect(row).toHaveTextContent('0:41');
    expect(row.closest('.jp-mod-stale')).not.toBeNull();
  });

  it('renders nothing anew while nobody looks', async () => {
    const model = liveModel();
    const workspaces = workspacesOf(model);
    const props = { model, workspaces, actions: fakeActions(), trans };
    const { rerender } = render(
      <Panel
        {...props}
        isVisible={false}
        arrangement={USUAL}
        arrange={jest.fn()}
      />
    );
    act(() => {
      model.connect({ phase: 'lost', heard: null, problem: null });
    });
    await frame();
    expect(screen.getByRole('status')).toHaveTextContent('live');
    rerender(
      <Panel {...props} isVisible arrangement={USUAL} arrange={jest.fn()} />
    );
    expect(screen.getByRole('status')).toHaveTextContent('reconnecting');
  });
});

describe('devices', () => {
  it('are summed up and shown to scale with their holders', () => {
    showPanel(
      liveModel({
        devices: [
          device({
            utilization: 0.412,
            holders: [
              holder(),
              holder({ owner: 'user-b', name: 'theirs', portion_milli: 100 })
            ]
          }),
          device({ id: 'GPU-1', index: 1, holders: [] })
        ]
      })
    );
    const section = screen.getByRole('region', { name: 'Devices' });
    expect(section).toHaveTextContent('0.6 of 2 used');
    const bar = screen.getByRole('img', {
      name: 'Device 0, A100 80GB: 0.6 of 1 used, digits-1 0.5, user-b 0.1, utilization 41 %'
    });
    const [mine, theirs] = [...bar.children] as HTMLElement[];
    expect(mine).toHaveClass('jp-mod-mine');
    expect(mine).toHaveStyle({ width: '50%' });
    expect(theirs).toHaveClass('jp-mod-other');
    expect(theirs).toHaveAttribute('title', 'theirs of user-b: 0.1, 40 GB');
    expect(
      screen.getByRole('img', { name: 'Device 1, A100 80GB: 0 of 1 used' })
    ).toBeEmptyDOMElement();
  });

  it('tell processes apart that no engine knows', () => {
    const foreign = { kind: 'foreign', owner: 'root' } as const;
    showPanel(
      liveModel({
        devices: [
          device({
            holders: [
              holder({ ...foreign, name: 'python3', portion_milli: 200 }),
              holder({ ...foreign, name: '', portion_milli: 100 })
            ]
          })
        ]
      })
    );
    expect(screen.getByText(/python3 \(not ours\)/)).toBeVisible();
    expect(screen.getByText(/another process/)).toBeVisible();
    expect(
      document.querySelectorAll('.jp-Runai-segment.jp-mod-foreign')
    ).toHaveLength(2);
  });

  it('say that they are not ready', () => {
    showPanel(liveModel({ devices: [device({ ready: false })] }));
    expect(screen.getByText('not ready')).toBeVisible();
  });

  it('say everywhere that they are simulated, and offer real ones', async () => {
    const doing = fakeActions();
    showPanel(
      liveModel({
        info: info({ simulated: '1xA100-80GB' }),
        devices: [device({ simulated: true })]
      }),
      doing
    );
    expect(
      screen.getByRole('heading', { name: 'GPU (simulated)' })
    ).toBeVisible();
    expect(screen.getByText('simulated')).toBeVisible();
    expect(screen.getByRole('img', { name: /simulated$/ })).toHaveClass(
      'jp-mod-simulated'
    );
    await userEvent.click(
      screen.getByRole('button', { name: 'Use real devices' })
    );
    expect(doing.simulate).toHaveBeenCalledWith(null);
  });

  it('where there are none, offer simulated ones', async () => {
    const doing = fakeActions();
    showPanel(
      liveModel({ info: info({ notice: 'No NVIDIA GPU here.' }) }),
      doing
    );
    expect(screen.getByText('No NVIDIA GPU here.')).toBeVisible();
    expect(
      screen.getByText('%runai config simulate 2xA100-80GB')
    ).toBeVisible();
    await userEvent.click(
      screen.getByRole('button', { name: 'Use simulated devices' })
    );
    expect(doing.simulate).toHaveBeenCalledWith('2xA100-80GB');
  });

  it('do not say the command twice where the notice has it', () => {
    const notice = 'No GPU. Try %runai config simulate 2xA100-80GB';
    showPanel(liveModel({ info: info({ notice }) }));
    expect(screen.getAllByText(/config simulate/)).toHaveLength(1);
  });

  it('show what the engine has to say about them', () => {
    const notice = 'Device 1 was lost.';
    showPanel(liveModel({ info: info({ notice }), devices: [device()] }));
    expect(screen.getByText(notice)).toBeVisible();
  });
});

describe('queues', () => {
  it('are left out where there is only one without bounds', () => {
    showPanel(liveModel({ queues: [queue()] }));
    expect(screen.queryByText('My queues')).toBeNull();
  });

  it('show what is used against quota, fair share and limit', () => {
    showPanel(
      liveModel({
        queues: [
          queue({
            name: 'vision',
            allocated: 1.5,
            quota: 1,
            fair_share: 2.3,
            limit: 4
          }),
          queue({ name: 'idle' })
        ]
      })
    );
    const bar = screen.getByRole('img', {
      name: 'Queue vision: 1.5 used, quota 1 · fair share 2.3 · limit 4'
    });
    expect(bar.querySelector('.jp-mod-mine')).toHaveStyle({ width: '25%' });
    expect(bar.querySelector('.jp-mod-overQuota')).toHaveStyle({
      width: '12.5%'
    });
    expect(bar.querySelector('.jp-mod-quota')).toHaveStyle({ left: '25%' });
    expect(
      screen.getByRole('img', {
        name: 'Queue idle: 0 used, no quota · no limit'
      })
    ).toBeVisible();
  });
});

describe('the sections', () => {
  it('are closed and opened, moved and sized, and say so', async () => {
    const user = userEvent.setup();
    const arrange = jest.fn<undefined, [IArrangement]>();
    const queues = [queue({ quota: 1 })];
    showPanel(liveModel({ devices: [device()], queues }), undefined, arrange);
    const titles = (): (string | null)[] =>
      screen
        .getAllByRole('heading', { level: 3 })
        .map(each => each.textContent);
    expect(titles()).toEqual([
      'Devices',
      'My queues',
      'My workloads',
      'Workspaces'
    ]);

    const toggle = screen.getByRole('button', { name: 'Devices' });
    await user.click(toggle);
    expect(toggle).toHaveAttribute('aria-expanded', 'false');
    expect(screen.queryByRole('img', { name: /Device 0/ })).toBeNull();
    expect(arrange).toHaveBeenLastCalledWith({
      ...USUAL,
      collapsed: ['devices']
    });
    await user.click(toggle);
    expect(screen.getByRole('img', { name: /Device 0/ })).toBeVisible();

    await user.click(screen.getByRole('button', { name: 'Move Devices down' }));
    expect(titles()).toEqual([
      'My queues',
      'Devices',
      'My workloads',
      'Workspaces'
    ]);

    screen.getByRole('separator', { name: 'Height of Devices' }).focus();
    await user.keyboard('{ArrowDown}');
    expect(arrange.mock.lastCall?.[0].heights).toEqual({ devices: 60 });
    await user.keyboard('{Home}');
    expect(arrange.mock.lastCall?.[0].heights).toEqual({});
  });
});

describe('what was remembered of the sections', () => {
  it('is taken over as far as it is understood', () => {
    expect(restoreArrangement(undefined)).toEqual(USUAL);
    const saved = {
      order: ['workloads', 'moon', 'devices'],
      collapsed: ['queues', 3],
      heights: { devices: 120, queues: 'high', workloads: 1 }
    };
    expect(restoreArrangement(saved)).toEqual({
      order: ['workloads', 'devices', 'queues', 'workspaces'],
      collapsed: ['queues'],
      heights: { devices: 120 }
    });
  });

  it('moves past what is not shown', () => {
    const two = ['devices', 'workloads'] as const;
    expect(moved(USUAL, 'workloads', -1, two).order).toEqual([
      'workloads',
      'queues',
      'devices',
      'workspaces'
    ]);
    expect(moved(USUAL, 'devices', -1, two)).toBe(USUAL);
  });
});
