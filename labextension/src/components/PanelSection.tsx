import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretRightIcon,
  caretUpIcon
} from '@jupyterlab/ui-components';
import { useId, useRef } from 'react';
import type { JSX, ReactNode } from 'react';

import type { SectionId } from '../panel/arrangement';
import { Sash } from './Sash';
import { useArrangement } from './useArrangement';

/** A part of the panel. */
export interface IPanelSectionProps {
  readonly id: SectionId;
  readonly title: string;

  /** A figure at the end of the title's line. */
  readonly summary?: string;
  readonly trans: TranslationBundle;
  readonly children: ReactNode;
}

/** A part of the panel under a heading that names it; it can be closed, moved and sized. */
export function PanelSection(props: IPanelSectionProps): JSX.Element {
  const { id, title, summary, trans, children } = props;
  const { arrangement, toggle, size } = useArrangement();
  const heading = useId();
  const body = useRef<HTMLDivElement>(null);
  const isOpen = !arrangement.collapsed.includes(id);
  const height = arrangement.heights[id] ?? null;
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  return (
    <section className="jp-Runai-section" aria-labelledby={heading}>
      <div className="jp-Runai-sectionHead">
        <h3 id={heading} className="jp-Runai-sectionTitle">
          <button
            type="button"
            className="jp-Runai-sectionToggle"
            aria-expanded={isOpen}
            aria-controls={`${heading}-body`}
            onClick={() => {
              toggle(id);
            }}
          >
            <Caret.react tag={null} width="14px" height="14px" />
            {title}
          </button>
        </h3>
        <Mover id={id} title={title} trans={trans} />
        {summary === undefined ? null : (
          <span className="jp-Runai-summary">{summary}</span>
        )}
      </div>
      <div
        id={`${heading}-body`}
        ref={body}
        hidden={!isOpen}
        className={`jp-Runai-sectionBody${height === null ? '' : ' jp-mod-sized'}`}
        style={height === null ? undefined : { height }}
      >
        {isOpen ? children : null}
      </div>
      {isOpen ? (
        <Sash
          label={trans.__('Height of %1', title)}
          height={height}
          measure={() => body.current?.offsetHeight ?? 0}
          size={next => {
            size(id, next);
          }}
        />
      ) : null}
    </section>
  );
}

/** One place up, one place down. */
function Mover(
  props: Pick<IPanelSectionProps, 'id' | 'title' | 'trans'>
): JSX.Element {
  const { id, title, trans } = props;
  const { move, shown } = useArrangement();
  const place = shown.indexOf(id);
  const ways = [
    {
      by: -1,
      label: trans.__('Move %1 up', title),
      Icon: caretUpIcon,
      isEnd: place <= 0
    },
    {
      by: 1,
      label: trans.__('Move %1 down', title),
      Icon: caretDownIcon,
      isEnd: place === shown.length - 1
    }
  ] as const;
  return (
    <span className="jp-Runai-mover">
      {ways.map(({ by, label, Icon, isEnd }) => (
        <button
          key={by}
          type="button"
          className="jp-Runai-iconButton"
          aria-label={label}
          title={label}
          aria-disabled={isEnd}
          onClick={() => {
            move(id, by);
          }}
        >
          <Icon.react tag={null} width="14px" height="14px" />
        </button>
      ))}
    </span>
  );
}
