import { useEffect, useRef } from 'react';
import type { JSX, PropsWithChildren } from 'react';

/** What is folded away until it is asked for. */
export interface IMoreFieldsProps {
  readonly title: string;

  /** Whether there is something in it that people should know of. */
  readonly isToBeSeen: boolean;
}

/** Fields for those who look for them; they open by themselves, and close by hand alone. */
export function MoreFields({
  title,
  isToBeSeen,
  children
}: PropsWithChildren<IMoreFieldsProps>): JSX.Element {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (isToBeSeen && details.current !== null) {
      details.current.open = true;
    }
  }, [isToBeSeen]);
  return (
    <details ref={details}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
