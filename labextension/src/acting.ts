import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { EngineError } from './model/api';

/** How many requests are under way at once. */
const AT_ONCE = 6;

/** What became of an action on several workloads. */
export interface IOutcome {
  readonly done: readonly string[];
  readonly refusals: readonly EngineError[];
}

/** Do something to each of these workloads, a few at a time; refusals are gathered, faults thrown. */
export async function actOn(
  ids: readonly string[],
  act: (id: string) => Promise<unknown>
): Promise<IOutcome> {
  const left = [...ids];
  const done: string[] = [];
  const refusals: EngineError[] = [];
  const work = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await act(id);
        done.push(id);
      } catch (error) {
        if (!(error instanceof EngineError)) {
          throw error;
        }
        refusals.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, refusals };
}

/** Wait for an answer; a refusal is shown with what to do about it. */
export async function tell(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof EngineError)) {
      throw error;
    }
    show(words(error));
  }
}

/** Show the refusals of an action, if there are any, in one notification. */
export function tellRefusals(
  { done, refusals }: IOutcome,
  trans: TranslationBundle
): void {
  const [first] = refusals;
  if (first === undefined) {
    return;
  }
  const all = done.length + refusals.length;
  show(
    all === 1
      ? words(first)
      : trans.__(
          '%1 of %2 refused: %3',
          String(refusals.length),
          String(all),
          words(first)
        )
  );
}

function words({ message, hint }: EngineError): string {
  return `${message} ${hint}`.trim();
}

function show(message: string): void {
  Notification.error(message, { autoClose: false });
}
