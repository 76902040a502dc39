import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { startTransition, useEffect, useState } from 'react';

/** Anything that says when it has changed. */
export interface IChanging {
  readonly changed: ISignal<unknown, void>;
}

/** How far renderings are apart at least while changes rain, in milliseconds: more often nobody can read. */
const PAUSE_MS = 100;

/**
 * Render again when something has changed: in the next frame after a calm, a
 * few times a second however many events arrive, and not at all while nobody
 * looks.
 */
export function useChanges(source: IChanging | null, isActive: boolean): void {
  const [, setRevision] = useState(0);
  useEffect(() => {
    if (source === null || !isActive) {
      return;
    }
    let frame = 0;
    let last = -Infinity;
    const render = (): void => {
      // What somebody types or presses comes before news.
      startTransition(() => {
        setRevision(revision => revision + 1);
      });
    };
    const onFrame = (time: number): void => {
      if (time - last < PAUSE_MS) {
        frame = requestAnimationFrame(onFrame);
        return;
      }
      frame = 0;
      last = time;
      render();
    };
    const onChanged = (): void => {
      frame ||= requestAnimationFrame(onFrame);
    };
    source.changed.connect(onChanged);
    // Something may have changed while nobody looked.
    render();
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
