"""Tables of texts, for where there is HTML and where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from msgspec import Struct


class Table(Struct, frozen=True):
    """Rows of cells under their header, which is left out when it is empty."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def _is_headed(self) -> bool:
        return any(self.header)

    @property
    def text(self) -> str:
        """The columns aligned."""
        every = [self.header, *self.rows] if self._is_headed else self.rows
        if not every:
            return ""
        widths = [max(len(row[column]) for row in every) for column in range(len(self.header))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every
        )

    @property
    def html(self) -> str:
        """The same as an element; without a header the first cell of a row is its head."""
        head = f"<thead>{_row(self.header, 'col', len(self.header))}</thead>" if self._is_headed else ""
        heads = 0 if self._is_headed else 1
        body = "".join(_row(row, "row", heads) for row in self.rows)
        return f'<table class="runai-table">{head}<tbody>{body}</tbody></table>'


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """The text of a table."""
    return Table(header, tuple(rows)).text


def _row(cells: tuple[str, ...], scope: str, heads: int) -> str:
    parts = (
        f'<th scope="{scope}" style="text-align:left">{escape(cell)}</th>'
        if column < heads
        else f'<td style="text-align:left">{escape(cell)}</td>'
        for column, cell in enumerate(cells)
    )
    return f"<tr>{''.join(parts)}</tr>"
