import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatClock } from '../format/time';
import type { IConnection } from '../tokens';

/** What the indicator shows. */
export interface IIndicatorProps {
  readonly connection: IConnection;
  readonly trans: TranslationBundle;
}

/** Whether what is shown is fresh, and if not, since when. */
export function Indicator({ connection, trans }: IIndicatorProps): JSX.Element {
  return (
    <span
      role="status"
      className={`jp-Runai-indicator jp-mod-${connection.phase}`}
    >
      {words(connection, trans)}
    </span>
  );
}

function words(connection: IConnection, trans: TranslationBundle): string {
  switch (connection.phase) {
    case 'live':
      return trans.__('live');
    case 'starting':
      return trans.__('connecting');
    case 'lost':
      return connection.heard === null
        ? trans.__('reconnecting')
        : trans.__('as of %1, reconnecting', formatClock(connection.heard));
  }
}
