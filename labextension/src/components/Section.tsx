import { useId } from 'react';
import type { JSX, ReactNode } from 'react';

/** A part of the panel. */
export interface ISectionProps {
  readonly title: string;

  /** A figure at the end of the title's line. */
  readonly summary?: string;

  readonly children: ReactNode;
}

/** A part of the panel under a heading that names it. */
export function Section(props: ISectionProps): JSX.Element {
  const id = useId();
  return (
    <section className="jp-Runai-section" aria-labelledby={id}>
      <div className="jp-Runai-sectionHead">
        <h3 id={id} className="jp-Runai-sectionTitle">
          {props.title}
        </h3>
        {props.summary === undefined ? null : (
          <span className="jp-Runai-summary">{props.summary}</span>
        )}
      </div>
      {props.children}
    </section>
  );
}
