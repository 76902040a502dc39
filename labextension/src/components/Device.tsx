import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { shortModel } from '../format/device';
import { levelWord, strengthWord } from '../format/words';
import { formatAlignedShare, formatMemory, formatShare } from '../format/share';
import { heldMilli } from '../model/workloads';
import type { IDevice, IEnforcement, IHolder } from '../wire';

/** What is shown of a device. */
export interface IDeviceProps {
  readonly device: IDevice;

  /** How its shares are held; null where nobody holds one. */
  readonly enforcement: IEnforcement | null;

  /** The user, whose shares are told apart from those of others. */
  readonly user: string;

  readonly trans: TranslationBundle;
}

/** One device: a bar to scale with a segment for each holder, and their names below. */
export function Device(props: IDeviceProps): JSX.Element {
  const { device, enforcement, user, trans } = props;
  const { holders } = device;
  const memory = memoryWords(device, trans);
  const held = enforcement === null ? '' : heldWords(enforcement, trans);
  return (
    <li className="jp-Runai-device">
      <DeviceHead device={device} trans={trans} />
      <div
        className={`jp-Runai-bar${device.simulated ? ' jp-mod-simulated' : ''}`}
        role="img"
        tabIndex={0}
        aria-label={sentence(props)}
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
      {memory === '' && held === '' ? null : (
        <div className="jp-Runai-deviceFacts">
          {[memory, held].filter(words => words !== '').join(' · ')}
        </div>
      )}
    </li>
  );
}

function DeviceHead(
  props: Pick<IDeviceProps, 'device' | 'trans'>
): JSX.Element {
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
function sentence(props: IDeviceProps): string {
  const { device, enforcement, user, trans } = props;
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
  const memory = memoryWords(device, trans);
  if (memory !== '') {
    parts.push(memory);
  }
  if (enforcement !== null) {
    parts.push(heldWords(enforcement, trans));
  }
  if (device.simulated) {
    parts.push(trans.__('simulated'));
  }
  return parts.join(', ');
}

function memoryWords(
  { used_mib: used, memory_mib: all }: IDevice,
  trans: TranslationBundle
): string {
  return used === null
    ? ''
    : trans.__('memory %1 of %2', formatMemory(used), formatMemory(all));
}

function heldWords(
  { level, memory, compute }: IEnforcement,
  trans: TranslationBundle
): string {
  return level === 'none'
    ? trans.__('shares not enforced')
    : trans.__(
        'shares held by %1 (memory %2, compute %3)',
        levelWord(level, trans),
        strengthWord(memory, trans),
        strengthWord(compute, trans)
      );
}

function percent(ratio: number): string {
  return String(Math.round(ratio * 100));
}
