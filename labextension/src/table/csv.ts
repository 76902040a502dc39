import type { IWorkload } from '../wire';
import type { IColumn } from './columns';

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** Workloads as comma-separated values under the columns' titles, as RFC 4180 has them. */
export function toCsv(
  workloads: readonly IWorkload[],
  columns: readonly IColumn[],
  now: number
): string {
  const lines = [
    columns.map(({ title }) => title),
    ...workloads.map(workload =>
      columns.map(column => column.text(workload, now))
    )
  ];
  return lines.map(line => `${line.map(quoted).join(',')}\r\n`).join('');
}

function quoted(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
