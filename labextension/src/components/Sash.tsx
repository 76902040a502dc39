import type { JSX, KeyboardEvent, PointerEvent } from 'react';

import { LOWEST } from '../panel/arrangement';

/** How far a key moves it, in pixels. */
const STEP = 20;

/** What the edge sizes. */
export interface ISashProps {
  readonly label: string;

  /** In pixels; null is as high as what is shown. */
  readonly height: number | null;

  /** How high it is now, in pixels. */
  readonly measure: () => number;
  readonly size: (height: number | null) => void;
}

/** The lower edge of a section: dragged, or moved by arrow keys, it sizes; a double click or Home undoes that. */
export function Sash({
  label,
  height,
  measure,
  size
}: ISashProps): JSX.Element {
  const onPointerDown = (event: PointerEvent<HTMLDivElement>): void => {
    const { currentTarget: edge, pointerId, clientY: from } = event;
    const before = measure();
    edge.setPointerCapture(pointerId);
    edge.onpointermove = ({ clientY }) => {
      size(before + clientY - from);
    };
    edge.onlostpointercapture = () => {
      edge.onpointermove = null;
    };
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowUp: -STEP, ArrowDown: STEP }[event.key];
    if (by === undefined && event.key !== 'Home') {
      return;
    }
    event.preventDefault();
    size(by === undefined ? null : (height ?? measure()) + by);
  };
  return (
    <div
      role="separator"
      aria-orientation="horizontal"
      aria-label={label}
      aria-valuenow={height ?? LOWEST}
      aria-valuemin={LOWEST}
      className="jp-Runai-sash"
      tabIndex={0}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDoubleClick={() => {
        size(null);
      }}
    />
  );
}
