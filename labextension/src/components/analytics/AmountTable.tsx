import type { JSX, ReactNode } from 'react';

/** A column of a table: its title, and what it has of a row. */
export interface IAmountColumn<T> {
  readonly title: string;
  readonly cell: (row: T) => ReactNode;

  /** Whether it is text, or a picture of the figures, and not a figure. */
  readonly kind?: 'text' | 'picture';
}

/** What the table shows. */
export interface IAmountTableProps<T> {
  /** What the table is about, for those who do not see where it stands. */
  readonly title: string;
  readonly columns: readonly IAmountColumn<T>[];
  readonly rows: readonly T[];
  readonly id: (row: T) => string;
}

/** A table of figures, the first column naming each row; what is too wide is scrolled, by keyboard too. */
export function AmountTable<T>(props: IAmountTableProps<T>): JSX.Element {
  const { title, columns, rows, id } = props;
  const [first, ...others] = columns;
  return (
    <div
      className="jp-Runai-wide"
      role="region"
      aria-label={title}
      tabIndex={0}
    >
      <table className="jp-Runai-amounts" aria-label={title}>
        <thead>
          <tr>
            {columns.map(({ title: heading, kind }) =>
              kind === 'picture' ? (
                <td key={heading} aria-hidden="true" />
              ) : (
                <th key={heading} scope="col" className={look(kind)}>
                  {heading}
                </th>
              )
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={id(row)}>
              <th scope="row">{first?.cell(row)}</th>
              {others.map(({ title: heading, cell, kind }) => (
                <td
                  key={heading}
                  className={look(kind)}
                  aria-hidden={kind === 'picture'}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function look(kind: IAmountColumn<unknown>['kind']): string | undefined {
  return kind && `jp-mod-${kind}`;
}
