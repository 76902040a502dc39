import type { TranslationBundle } from '@jupyterlab/translation';

import { endLine, placeLine, waitingWords } from '../format/words';
import type { INews, NewsKind } from './news';

/** What has become of a workload, in a sentence. */
export function newsWords(
  { kind, workload }: INews,
  trans: TranslationBundle
): string {
  const { name, verdict } = workload;
  switch (kind) {
    case 'started': {
      const place = placeLine(workload, trans);
      return place === ''
        ? trans.__('%1 has started.', name)
        : trans.__('%1 has started: %2.', name, place);
    }
    case 'stuck':
      return verdict === null
        ? trans.__('%1 cannot start.', name)
        : trans.__('%1 waits: %2.', name, waitingWords(verdict.code, trans));
    case 'preempted':
      return trans.__('%1 was preempted and waits.', name);
    case 'warned':
      return trans.__('%1: %2.', name, workload.notice?.message ?? '');
    case 'ended':
      return trans.__('%1 has completed.', name);
    case 'failed': {
      const why = endLine(workload, trans);
      return why === ''
        ? trans.__('%1 has failed.', name)
        : trans.__('%1 has failed: %2', name, why);
    }
  }
}

/** What has become of so many workloads at about the same time. */
export function summaryWords(
  kind: NewsKind,
  count: number,
  trans: TranslationBundle
): string {
  switch (kind) {
    case 'started':
      return trans.__('%1 workloads have started.', count);
    case 'stuck':
      return trans.__('%1 workloads wait and cannot start.', count);
    case 'preempted':
      return trans.__('%1 workloads were preempted and wait.', count);
    case 'warned':
      return trans.__('%1 workloads are warned by a rule.', count);
    case 'ended':
      return trans.__('%1 workloads have completed.', count);
    case 'failed':
      return trans.__('%1 workloads have failed.', count);
  }
}
