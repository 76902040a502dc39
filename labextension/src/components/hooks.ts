import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { useEffect, useState } from 'react';

/** Anything that says when it has changed. */
export interface IChanging {
  readonly changed: ISignal<unknown, void>;
}

/**
 * Render again when something has changed, at most once a frame however many
 * events arrive, and not at all while nobody looks.
 */
export function useChanges(source: IChanging, isActive: boolean): void {
  const [, setRevision] = useState(0);
  useEffect(() => {
    if (!isActive) {
      return;
    }
    let frame = 0;
    const onChanged = (): void => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setRevision(revision => revision + 1);
      });
    };
    source.changed.connect(onChanged);
    // Something may have changed while nobody looked.
    onChanged();
    return () => {
      source.changed.disconnect(onChanged);
      cancelAnimationFrame(frame);
    };
  }, [source, isActive]);
}

/** The time in seconds, anew each second while somebody looks. */
export function useNow(isActive: boolean): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!isActive) {
      return;
    }
    const clock = new Poll({
      name: 'jupyter-runai:clock',
      factory: () => {
        setNow(Date.now() / 1000);
        return Promise.resolve();
      },
      frequency: { interval: 1000, backoff: false },
      standby: 'when-hidden'
    });
    return () => {
      clock.dispose();
    };
  }, [isActive]);
  return now;
}
