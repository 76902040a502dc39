import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { FIRST_CHOICE } from '../src/analytics/choice';
import type { IChoice } from '../src/analytics/choice';
import { AnalyticsView } from '../src/components/analytics/AnalyticsView';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { workload } from './helpers/sample';
import { queueHistory, queueStep, usage, usageRow } from './helpers/usage';
import { trans } from './helpers/views';

// What is drawn on a canvas is looked at in a browser.
jest.mock('../src/components/charts/Plot', () => ({ Plot: () => null }));

const actions = {
  choose: jest.fn(),
  openDetails: jest.fn(),
  submit: jest.fn()
};

async function show(model: FakeModel, choice: Partial<IChoice> = {}) {
  render(
    <AnalyticsView
      model={model}
      choice={{ ...FIRST_CHOICE, ...choice }}
      trans={trans}
      isVisible
      {...actions}
    />
  );
  await act(() => Promise.resolve());
}

function counted(changes: Parameters<typeof usage>[0] = {}): FakeModel {
  const model = liveModel({ workloads: [workload()] });
  const row = { allocated: 2, measured: 2, used: 0.5, waiting: 65 };
  model.requests.usage.mockImplementation((by, _, step) =>
    Promise.resolve(
      usage({
        by,
        step,
        rows: [
          usageRow({ ...row, group: by === 'workload' ? 'w1' : 'vision' })
        ],
        ...changes
      })
    )
  );
  return model;
}

describe('the analytics', () => {
  beforeEach(() => {
    jest.clearAllMocks();
  });

  it('say what will appear where nothing was counted yet', async () => {
    const model = liveModel();
    model.requests.usage.mockResolvedValue(usage());
    await show(model);
    expect(screen.getByRole('status')).toHaveTextContent(
      'Nothing has been counted yet.'
    );
    await userEvent.click(
      screen.getByRole('button', { name: 'New workload…' })
    );
    expect(actions.submit).toHaveBeenCalled();
  });

  it('say that there is nothing in a time where there is something in others', async () => {
    await show(counted({ rows: [] }));
    expect(screen.getByRole('status')).toHaveTextContent('in this time');
  });

  it('have totals, groups, waits and who held most without using it', async () => {
    await show(counted());
    expect(screen.getByText('25 %', { selector: 'strong' })).toBeVisible();
    const groups = screen.getByRole('table', { name: 'By project' });
    expect(
      within(groups).getByRole('row', { name: /^vision/ })
    ).toHaveTextContent('vision225 %1.5001:050');
    expect(
      within(
        screen.getByRole('table', { name: 'How long work waited' })
      ).getByRole('row', { name: /1:05/ })
    ).toBeVisible();
    const idle = screen.getByRole('table', { name: /without using it/ });
    await userEvent.click(within(idle).getByRole('button', { name: 'w1' }));
    expect(actions.openDetails).toHaveBeenCalledWith('w1');
  });

  it('say why work waited, and show shares over time', async () => {
    const model = counted();
    model.requests.queueHistory.mockResolvedValue(
      queueHistory({
        rows: [
          queueStep({ allocated: 1, waits: { over_limit: 5 } }),
          queueStep({
            at: 60,
            allocated: 2,
            fair_share: 2,
            quota: null,
            waits: { over_limit: 60, no_node_fits: 30 }
          })
        ]
      })
    );
    await show(model);
    const causes = screen.getByRole('table', { name: 'Why work waited' });
    const [, first, second] = within(causes).getAllByRole('row');
    expect(first).toHaveTextContent('visionover the limit1:05');
    expect(second).toHaveTextContent('visionnot enough free0:30');
    const title = 'vision: held against quota and fair share';
    await userEvent.click(screen.getByText(`Figures: ${title}`));
    const figures = screen.getByRole('region', { name: title });
    const rows = within(figures).getAllByRole('row');
    expect(rows.at(-1)).toHaveTextContent(/111$/);
    expect(rows.at(-2)).toHaveTextContent(/2–2$/);
  });

  it('say what is not real and what has no price', async () => {
    await show(counted({ simulated: true }));
    expect(screen.getByText(/no real one was held/)).toBeVisible();
    expect(screen.getByText(/No device has a price/)).toBeVisible();
  });

  it('say whose they are where they are not those of all', async () => {
    await show(counted({ namespace: 'vision' }));
    expect(
      screen.getByText(/Only what ran in the namespace vision/)
    ).toBeVisible();
  });

  it('have a cost where devices have a price, and name those that have none', async () => {
    const unpriced = ['NVIDIA A100-SXM4-80GB'];
    await show(counted({ currency: 'EUR', unpriced }));
    expect(screen.getByText('Cost', { selector: 'dt' })).toBeVisible();
    expect(screen.getByText(/not in the cost: A100 80GB/)).toBeVisible();
  });

  it('are of another time or by something else when that is chosen', async () => {
    await show(counted());
    await userEvent.selectOptions(screen.getByLabelText('Show by'), 'Device');
    expect(actions.choose).toHaveBeenLastCalledWith(
      expect.objectContaining({ by: 'device' })
    );
    await userEvent.selectOptions(screen.getByLabelText('Period'), 'Custom…');
    expect(actions.choose).toHaveBeenLastCalledWith(
      expect.objectContaining({
        period: 'custom',
        from: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string
      })
    );
  });

  it('refuse a time that ends before it begins, and ask nothing', async () => {
    const model = counted();
    await show(model, {
      period: 'custom',
      from: '2026-11-02',
      to: '2026-11-01'
    });
    expect(screen.getByRole('alert')).toHaveTextContent('no period');
    expect(model.requests.usage).not.toHaveBeenCalled();
    expect(screen.queryByRole('link')).toBeNull();
  });

  it('keep what was known when the engine does not answer', async () => {
    const model = counted();
    await show(model);
    model.requests.usage.mockRejectedValue(new Error('It is gone.'));
    await userEvent.click(screen.getByRole('button', { name: 'Refresh' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('It is gone.');
    expect(screen.getByRole('table', { name: 'By project' })).toBeVisible();
  });

  it('can be taken along', async () => {
    await show(counted(), { by: 'user' });
    expect(screen.getByRole('link', { name: 'Download CSV' })).toHaveAttribute(
      'href',
      'report.csv?by=user'
    );
    expect(
      screen.getByRole('link', { name: 'Save HTML report…' })
    ).toHaveAttribute('href', 'report.html?by=user');
  });
});
