import type { JSX } from 'react';

import type { IProblem } from '../wire';

/** What went wrong and what to do about it, on a line; nothing where nothing did. */
export function Problem(props: {
  readonly problem: IProblem | null;
}): JSX.Element | null {
  const { problem } = props;
  return problem === null ? null : (
    <p className="jp-Runai-problem" role="alert">
      {problem.message} {problem.hint}
    </p>
  );
}
