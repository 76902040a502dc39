import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { shortModel } from '../format/device';
import { formatAlignedShare, formatMemory, formatShare } from '../format/share';
import { heldMilli } from '../model/workloads';
import type { IDevice, IHolder } from '../wire';

/** What is shown of a device. */
export interface IDeviceProps {
  readonly device: IDevice;

  /** The user, whose shares are told apart from those of others. */
  readonly user: string;

  readonly trans: TranslationBundle;
}

/** One device: a bar to scale with a segment for each holder, and their names below. */
export function Device({ device, user, trans }: IDeviceProps): JSX.Element {
  const { holders } = device;
  return (
    <li className="jp-Runai-device">
      <DeviceHead device={device} trans={trans} />
      <div
        className={`jp-Runai-bar${device.simulated ? ' jp-mod-simulated' : ''}`}
        role="img"
        tabIndex={0}
        aria-label={sentence(device, user, trans)}
      >
        {holders.map((holder, place) => (
          <span
            key={place}
            className={`jp-Runai-segment jp-mod-${ownership(holder, user)}`}
            style={{ width: `${holder.portion_milli / 10}%` }}
            title={holderSentence(holder, trans)}
          />
        ))}
      </div>
      {holders.length === 0 ? null : (
        <ul className="jp-Runai-holders">
          {holders.map((holder, place) => (
            <li key={place} title={holderSentence(holder, trans)}>
              <span
                aria-hidden="true"
                className={`jp-Runai-swatch jp-mod-${ownership(holder, user)}`}
              />
              {holderName(holder, user, trans)}{' '}
              <span className="jp-Runai-number">
                {formatShare(holder.portion_milli)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function DeviceHead(props: Omit<IDeviceProps, 'user'>): JSX.Element {
  const { device, trans } = props;
  return (
    <div className="jp-Runai-deviceHead">
      <span className="jp-Runai-number">{device.index}</span>
      <span className="jp-Runai-name" title={device.model}>
        {shortModel(device.model)}
      </span>
      {device.simulated ? (
        <span className="jp-Runai-badge">{trans.__('simulated')}</span>
      ) : null}
      {device.ready ? null : (
        <span className="jp-Runai-badge">{trans.__('not ready')}</span>
      )}
      <span className="jp-Runai-number jp-Runai-share">
        {formatAlignedShare(heldMilli(device))}
      </span>
      {device.utilization === null ? null : (
        <span
          className="jp-Runai-number jp-Runai-utilization"
          title={trans.__('Utilization')}
        >
          {trans.__('%1 %', percent(device.utilization))}
        </span>
      )}
    </div>
  );
}

function ownership(holder: IHolder, user: string): string {
  if (holder.kind === 'foreign') {
    return 'foreign';
  }
  return holder.owner === user ? 'mine' : 'other';
}

function holderName(
  holder: IHolder,
  user: string,
  trans: TranslationBundle
): string {
  if (holder.kind === 'foreign') {
    return holder.name === ''
      ? trans.__('another process')
      : trans.__('%1 (not ours)', holder.name);
  }
  return holder.owner === user ? holder.name : holder.owner;
}

function holderSentence(holder: IHolder, trans: TranslationBundle): string {
  return trans.__(
    '%1 of %2: %3, %4',
    holder.name,
    holder.owner,
    formatShare(holder.portion_milli),
    formatMemory(holder.memory_mib)
  );
}

/** Everything that the bar shows, for those who do not see it. */
function sentence(
  device: IDevice,
  user: string,
  trans: TranslationBundle
): string {
  const parts = [
    trans.__(
      'Device %1, %2: %3 of 1 used',
      String(device.index),
      shortModel(device.model),
      formatShare(heldMilli(device))
    ),
    ...device.holders.map(holder =>
      trans.__(
        '%1 %2',
        holderName(holder, user, trans),
        formatShare(holder.portion_milli)
      )
    )
  ];
  if (device.utilization !== null) {
    parts.push(trans.__('utilization %1 %', percent(device.utilization)));
  }
  if (device.simulated) {
    parts.push(trans.__('simulated'));
  }
  return parts.join(', ');
}

function percent(ratio: number): string {
  return String(Math.round(ratio * 100));
}
