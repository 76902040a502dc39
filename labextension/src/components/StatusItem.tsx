import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatShare } from '../format/share';
import { heldMilli } from '../model/workloads';
import type { IEngineModel } from '../tokens';
import { useChanges } from './hooks';

/** What the status bar's item shows. */
export interface IStatusItemProps {
  readonly model: IEngineModel;
  readonly trans: TranslationBundle;

  /** Called when it is clicked. */
  readonly open: () => void;
}

/** How much of the devices is used; opens the panel. */
export function StatusItem(props: IStatusItemProps): JSX.Element | null {
  const { model, trans, open } = props;
  useChanges(model, true);
  if (model.info === null) {
    return null;
  }
  const isLive = model.connection.phase === 'live';
  return (
    <button
      type="button"
      className={`jp-Runai-statusItem${isLive ? '' : ' jp-mod-stale'}`}
      title={trans.__('Show the GPU panel')}
      onClick={open}
    >
      {figures(model, trans)}
    </button>
  );
}

function figures(model: IEngineModel, trans: TranslationBundle): string {
  const { devices, info } = model;
  if (devices.length === 0) {
    return trans.__('No GPU');
  }
  const used = formatShare(
    devices.reduce((sum, device) => sum + heldMilli(device), 0)
  );
  const total = String(devices.length);
  return info?.simulated
    ? trans.__('GPU %1 / %2 (simulated)', used, total)
    : trans.__('GPU %1 / %2', used, total);
}
