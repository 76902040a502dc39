import type { TranslationBundle } from '@jupyterlab/translation';
import { memo, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { JSX, RefObject } from 'react';

import { formatCharacters } from '../format/share';
import type { LogText } from '../model/logText';
import type { IProblem, IRaisedError } from '../wire';

/** How far from its end a log still counts as read to the end, in pixels. */
const NEAR_END = 8;

/** What the output shows. */
export interface ILogOutputProps {
  /** The workload's name. */
  readonly name: string;

  readonly text: LogText;

  /** Whether nothing more is to come. */
  readonly isComplete: boolean;

  /** Whether there is such a workload. */
  readonly isKnown: boolean;

  /** Why the log cannot be read; null while it can. */
  readonly problem: IProblem | null;

  /** The exception that ended the workload. */
  readonly error: IRaisedError | null;

  readonly trans: TranslationBundle;
}

/** A log's text, kept at its end unless somebody has scrolled up. */
export function LogOutput(props: ILogOutputProps): JSX.Element {
  const { name, text, error, trans } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const output = useRef<HTMLPreElement>(null);
  const lastTop = useRef(0);
  const [isFollowing, setIsFollowing] = useState(true);
  useKeptAtEnd(scroller, output, isFollowing);
  return (
    <div className="jp-Runai-log">
      <div
        ref={scroller}
        className="jp-Runai-logScroller"
        tabIndex={0}
        role="region"
        aria-label={trans.__('Output of %1', name)}
        onScroll={({ currentTarget }) => {
          // Only who scrolls up wants to stay: text that grows leaves the end too.
          const isUp = currentTarget.scrollTop < lastTop.current;
          lastTop.current = currentTarget.scrollTop;
          setIsFollowing(isAtEnd(currentTarget) || (isFollowing && !isUp));
        }}
      >
        {text.cut === 0 ? null : (
          <p className="jp-Runai-logNote">
            {trans.__(
              'The first %1 of this log are left out.',
              formatCharacters(text.cut)
            )}
          </p>
        )}
        <pre ref={output} role="log" aria-label={trans.__('Log of %1', name)}>
          {text.blocks.map(block => (
            <Block key={block.id} text={block.text} />
          ))}
          {text.openLine}
        </pre>
        <Remark {...props} />
        {error === null ? null : <Traceback error={error} trans={trans} />}
      </div>
      {isFollowing ? null : (
        <button
          type="button"
          className="jp-Runai-action jp-Runai-toEnd"
          onClick={() => {
            setIsFollowing(true);
          }}
        >
          {trans.__('Jump to the end')}
        </button>
      )}
    </div>
  );
}

/** Finished lines: rendered again only when more of them are in the block. */
const Block = memo(function Block({ text }: { text: string }): JSX.Element {
  return <span className="jp-Runai-logBlock">{text}</span>;
});

function Remark(props: ILogOutputProps): JSX.Element | null {
  const { text, isComplete, isKnown, problem, error, trans } = props;
  if (problem !== null) {
    return (
      <p className="jp-Runai-problem">
        {problem.message} {problem.hint}
      </p>
    );
  }
  if (!isKnown || !text.isEmpty || (isComplete && error !== null)) {
    return null;
  }
  return (
    <p className="jp-Runai-logNote">
      {isComplete
        ? trans.__('It wrote nothing.')
        : trans.__('Nothing written yet.')}
    </p>
  );
}

interface ITracebackProps {
  readonly error: IRaisedError;
  readonly trans: TranslationBundle;
}

function Traceback({ error, trans }: ITracebackProps): JSX.Element {
  return (
    <section className="jp-Runai-traceback" aria-label={trans.__('Traceback')}>
      <pre>
        {error.traceback === ''
          ? trans.__('%1: %2', error.type, error.message)
          : error.traceback}
      </pre>
    </section>
  );
}

/** Scroll to the end after each rendering, and whenever blocks turn out higher than they were thought. */
function useKeptAtEnd(
  scroller: RefObject<HTMLElement>,
  output: RefObject<HTMLElement>,
  isFollowing: boolean
): void {
  useLayoutEffect(() => {
    if (isFollowing) {
      toEnd(scroller.current);
    }
  });
  useEffect(() => {
    if (!isFollowing || output.current === null) {
      return;
    }
    const observer = new ResizeObserver(() => {
      toEnd(scroller.current);
    });
    observer.observe(output.current);
    return () => {
      observer.disconnect();
    };
  }, [scroller, output, isFollowing]);
}

function toEnd(element: HTMLElement | null): void {
  if (element !== null) {
    element.scrollTop = element.scrollHeight;
  }
}

function isAtEnd(element: HTMLElement): boolean {
  const { scrollHeight, scrollTop, clientHeight } = element;
  return scrollHeight - scrollTop - clientHeight < NEAR_END;
}
