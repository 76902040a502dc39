import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { StatusItem } from '../src/components/StatusItem';
import { FakeModel, liveModel } from './helpers/fakeModel';
import { device, holder, info } from './helpers/sample';
import { trans } from './helpers/views';

const devices = [
  device({ holders: [holder()] }),
  device({ id: 'GPU-1', index: 1 })
];

function show(model: FakeModel, open: () => void = () => undefined): void {
  render(<StatusItem model={model} trans={trans} open={open} />);
}

describe('StatusItem', () => {
  it('says how much is used and opens the panel', async () => {
    const open = jest.fn();
    show(liveModel({ devices }), open);
    await userEvent.click(screen.getByRole('button', { name: 'GPU 0.5 / 2' }));
    expect(open).toHaveBeenCalledTimes(1);
  });

  it('says that the devices are simulated', () => {
    show(liveModel({ devices, info: info({ simulated: '2xA100-80GB' }) }));
    expect(
      screen.getByRole('button', { name: 'GPU 0.5 / 2 (simulated)' })
    ).toBeVisible();
  });

  it('says that there is no GPU', () => {
    show(liveModel());
    expect(screen.getByRole('button', { name: 'No GPU' })).toBeVisible();
  });

  it('is empty until the engine has answered', () => {
    show(new FakeModel());
    expect(screen.queryByRole('button')).toBeNull();
  });

  it('is greyed while the figures are old', async () => {
    const model = liveModel({ devices });
    show(model);
    act(() => {
      model.connect({ phase: 'lost', heard: 0, problem: null });
    });
    await waitFor(() => {
      expect(screen.getByRole('button')).toHaveClass('jp-mod-stale');
    });
  });
});
