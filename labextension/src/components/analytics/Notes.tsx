import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { shortModel } from '../../format/device';
import type { IUsage } from '../../wire';

/** What the notes are about. */
export interface INotesProps {
  readonly usage: IUsage;
  readonly trans: TranslationBundle;
}

/** What one has to know to read the figures. */
export function Notes({ usage, trans }: INotesProps): JSX.Element {
  const { simulated, currency, unpriced, namespace } = usage;
  return (
    <>
      {namespace === null ? null : (
        <p className="jp-Runai-notice">
          {trans.__(
            'Only what ran in the namespace %1: the accounts of the others are not open to you.',
            namespace
          )}
        </p>
      )}
      {simulated ? (
        <p className="jp-Runai-notice">
          <span className="jp-Runai-badge">{trans.__('simulated')}</span>{' '}
          {trans.__(
            'The devices are simulated: no real one was held, and how much of them was used is made up.'
          )}
        </p>
      ) : null}
      {currency === null ? (
        <p className="jp-Runai-notice">
          {trans.__(
            'No device has a price, so no cost is shown. Prices are set in the settings of the engine.'
          )}
        </p>
      ) : null}
      {unpriced.length === 0 ? null : (
        <p className="jp-Runai-notice">
          {trans.__(
            'Without a price, and not in the cost: %1.',
            unpriced.map(shortModel).join(', ')
          )}
        </p>
      )}
    </>
  );
}
