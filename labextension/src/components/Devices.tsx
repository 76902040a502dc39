import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { EXAMPLE_DEVICES } from '../commands';
import { formatShare, isFraction } from '../format/share';
import { heldMilli } from '../model/workloads';
import type { IEngineModel } from '../tokens';
import type { IDevice, IEnforcement, IEngineInfo } from '../wire';
import type { IActions } from './actions';
import { Device } from './Device';
import { PanelSection } from './PanelSection';

/** What the section shows. */
export interface IDevicesProps {
  readonly model: IEngineModel;
  readonly info: IEngineInfo;
  readonly actions: IActions;
  readonly trans: TranslationBundle;
}

/** All devices and who holds them; without any, what to do about it. */
export function Devices(props: IDevicesProps): JSX.Element {
  const { model, info, actions, trans } = props;
  const { devices } = model;
  if (devices.length === 0) {
    return <NoDevices info={info} actions={actions} trans={trans} />;
  }
  const held = devices.reduce((sum, device) => sum + heldMilli(device), 0);
  return (
    <PanelSection
      id="devices"
      trans={trans}
      title={trans.__('Devices')}
      summary={trans.__(
        '%1 of %2 used',
        formatShare(held),
        String(devices.length)
      )}
    >
      {info.notice === '' ? null : (
        <p className="jp-Runai-notice">{info.notice}</p>
      )}
      <ul className="jp-Runai-devices">
        {devices.map(device => (
          <Device
            key={device.id}
            device={device}
            enforcement={enforcementOf(device, model)}
            user={info.user}
            trans={trans}
          />
        ))}
      </ul>
      {info.simulated === null ? null : (
        <p className="jp-Runai-hint">
          {trans.__(
            'Shares are planned and booked as usual, but no GPU computes.'
          )}{' '}
          <button
            type="button"
            className="jp-Runai-link"
            onClick={() => {
              actions.simulate(null);
            }}
          >
            {trans.__('Use real devices')}
          </button>
        </p>
      )}
    </PanelSection>
  );
}

/** How the shares of a device are held; null where it is held as a whole, or not at all. */
function enforcementOf(
  { holders }: IDevice,
  model: IEngineModel
): IEnforcement | null {
  const held = holders
    .map(({ workload }) => model.workload(workload ?? ''))
    .find(workload => workload !== undefined && isFraction(workload.request));
  return held?.allocation?.enforcement ?? null;
}

function NoDevices(props: Omit<IDevicesProps, 'model'>): JSX.Element {
  const { info, actions, trans } = props;
  const notice =
    info.notice === '' ? trans.__('This machine has no devices.') : info.notice;
  const command = `%runai config simulate ${EXAMPLE_DEVICES}`;
  return (
    <PanelSection id="devices" title={trans.__('Devices')} trans={trans}>
      <p className="jp-Runai-notice">{notice}</p>
      <button
        type="button"
        className="jp-Runai-action"
        onClick={() => {
          actions.simulate(EXAMPLE_DEVICES);
        }}
      >
        {trans.__('Use simulated devices')}
      </button>
      {notice.includes(command) ? null : (
        <p className="jp-Runai-hint">
          {trans.__('The same in a notebook:')} <code>{command}</code>
        </p>
      )}
    </PanelSection>
  );
}
