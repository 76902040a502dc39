import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { IAmounts } from '../../analytics/amounts';

/** What the bar shows. */
export interface IUseBarProps {
  readonly amounts: IAmounts;

  /** What the longest of the bars beside it stands for. */
  readonly longest: number;
}

/** What was allocated: used, idle and unmeasured; a picture of figures that stand beside it. */
export function UseBar({ amounts, longest }: IUseBarProps): JSX.Element {
  const width = (hours: number): string =>
    longest > 0 ? `${(100 * hours) / longest}%` : '0';
  return (
    <div className="jp-Runai-useBar">
      <span className="jp-mod-used" style={{ width: width(amounts.used) }} />
      <span className="jp-mod-idle" style={{ width: width(amounts.idle) }} />
      <span
        className="jp-mod-unmeasured"
        style={{ width: width(amounts.unmeasured) }}
      />
    </div>
  );
}

/** Which colour is what. */
export function UseKey(props: {
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { trans } = props;
  return (
    <div className="jp-Runai-useKey" aria-hidden="true">
      <span className="jp-Runai-legend jp-mod-used">{trans.__('used')}</span>
      <span className="jp-Runai-legend jp-mod-idle">{trans.__('idle')}</span>
      <span className="jp-Runai-legend jp-mod-unmeasured">
        {trans.__('unmeasured')}
      </span>
    </div>
  );
}
