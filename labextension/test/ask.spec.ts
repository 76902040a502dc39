import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { ask } from '../src/ask';
import type { IQuestion } from '../src/ask';
import { liveModel } from './helpers/fakeModel';
import { trans } from './helpers/views';

const idle = window.requestIdleCallback.bind(window);

/** A question with one field. */
function question(): IQuestion {
  return {
    title: trans.__('New name'),
    accept: 'Rename',
    model: liveModel({}),
    fields: [{ field: 'name', label: trans.__('Name'), help: '' }],
    first: { name: 'digits' },
    trans
  };
}

describe('a question', () => {
  beforeEach(() => {
    // A page that is never idle.
    window.requestIdleCallback = () => 0;
  });

  afterEach(() => {
    window.requestIdleCallback = idle;
  });

  it('has the focus once it is there, however busy the page', async () => {
    const answer = ask(question());
    await waitFor(() => {
      expect(screen.getByLabelText('Name')).toHaveFocus();
    });
    await userEvent.keyboard('{Escape}');
    expect(await answer).toBeNull();
  });

  it('is answered with what its fields hold', async () => {
    const answer = ask(question());
    await waitFor(() => {
      expect(screen.getByLabelText('Name')).toHaveFocus();
    });
    await userEvent.keyboard('-2{Enter}');
    expect(await answer).toEqual({ name: 'digits-2' });
  });
});
