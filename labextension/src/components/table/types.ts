import type { ColumnId } from '../../table/columns';

/** A column of the grid: one of a workload's, or that of the tick boxes. */
export type GridColumn = ColumnId | 'select';

/** The key of the heading's row. */
export const HEADING = 'heading';

/** The cell that has the focus, or gets it when somebody tabs into the grid. */
export interface IActiveCell {
  /** A row's key, or that of the heading. */
  readonly row: string;
  readonly column: GridColumn;
}

/** How high each row is, in pixels. */
export const ROW_HEIGHT = 26;

/** How wide the column of the tick boxes is, in pixels. */
export const SELECT_SIZE = 34;
