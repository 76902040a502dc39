/** A cell's place: row 0 is the heading, column 0 the one of the tick boxes. */
export interface IPlace {
  readonly row: number;
  readonly column: number;
}

/** How far one may go. */
export interface IBounds {
  /** The last row. */
  readonly lastRow: number;

  /** The last column. */
  readonly lastColumn: number;

  /** How many rows a page is. */
  readonly page: number;
}

/** Where a key leads from a cell, as the grid pattern of ARIA has it; null where it leads nowhere. */
export function placeAfter(
  key: string,
  isControl: boolean,
  from: IPlace,
  bounds: IBounds
): IPlace | null {
  const to = target(key, isControl, from, bounds);
  return (
    to && {
      row: Math.min(bounds.lastRow, Math.max(0, to.row)),
      column: Math.min(bounds.lastColumn, Math.max(0, to.column))
    }
  );
}

function target(
  key: string,
  isControl: boolean,
  { row, column }: IPlace,
  { lastRow, lastColumn, page }: IBounds
): IPlace | null {
  switch (key) {
    case 'ArrowUp':
      return { row: row - 1, column };
    case 'ArrowDown':
      return { row: row + 1, column };
    case 'ArrowLeft':
      return { row, column: column - 1 };
    case 'ArrowRight':
      return { row, column: column + 1 };
    case 'PageUp':
      return { row: Math.max(1, row - page), column };
    case 'PageDown':
      return { row: row + page, column };
    case 'Home':
      return { row: isControl ? 0 : row, column: 0 };
    case 'End':
      return { row: isControl ? lastRow : row, column: lastColumn };
    default:
      return null;
  }
}
