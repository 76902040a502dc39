"""The rows of a usage as a table that pandas, polars, Arrow and spreadsheets take."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from jupyter_runai.reports.page import page, rows_html
from jupyter_runai.reports.text import text
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage, UsageRow
from scheduler_core.errors import InvalidRequest

COLUMNS = (
    "at",
    "group",
    "name",
    "owner",
    "project",
    "model",
    "allocated_gpu_hours",
    "used_gpu_hours",
    "idle_gpu_hours",
    "unmeasured_gpu_hours",
    "over_quota_gpu_hours",
    "gpu_memory_gib_hours",
    "cpu_hours",
    "cpu_used_hours",
    "waiting_hours",
    "preemptions",
    "energy_kwh",
    "cost",
)


class UsageTable:
    """A usage's rows one by one, and as a table in hours: `COLUMNS` in their order, `at` the start of a step in UTC.

    What `to_pandas`, `to_polars`, `to_arrow` and `parquet` need is not installed along; each says so.
    """

    def __init__(self, usage: Usage) -> None:
        self.usage = usage

    def __getitem__(self, index: int) -> UsageRow:
        return self.usage.rows[index]

    def __iter__(self) -> Iterator[UsageRow]:
        return iter(self.usage.rows)

    def __len__(self) -> int:
        return len(self.usage.rows)

    def __repr__(self) -> str:
        return text(self.usage)

    def _repr_html_(self) -> str:
        return rows_html(self.usage)

    def columns(self) -> dict[str, list[Any]]:
        """Each column by its name."""
        return {name: [_cell(row, name) for row in self.usage.rows] for name in COLUMNS}

    def to_pandas(self) -> Any:
        """A pandas.DataFrame."""
        return _needed("pandas").DataFrame(self.columns())

    def to_polars(self) -> Any:
        """A polars.DataFrame."""
        return _needed("polars").DataFrame(self.columns(), infer_schema_length=None)

    def to_arrow(self) -> Any:
        """A pyarrow.Table; what is not known of any row, such as a cost, is a column of nulls."""
        arrow = _needed("pyarrow")
        kinds = {"at": arrow.timestamp("us", tz="UTC"), "preemptions": arrow.int64()}
        texts = dict.fromkeys(COLUMNS[1:6], arrow.string())
        schema = arrow.schema([(name, (kinds | texts).get(name, arrow.float64())) for name in COLUMNS])
        return arrow.table(self.columns(), schema=schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def csv(self) -> str:
        """The table as comma-separated values under a header; times in ISO 8601, what is not known empty."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.usage.rows:
            writer.writerow([_plain(_cell(row, name)) for name in COLUMNS])
        return written.getvalue()

    def html(self, over_time: Usage | None = None, history: QueueHistory | None = None) -> str:
        """A page of its own, which needs nothing else; `over_time` has the same by steps, `history` that of queues."""
        return page(self.usage, over_time, history)

    def parquet(self) -> bytes:
        """The table as a Parquet file."""
        written = io.BytesIO()
        table = self.to_arrow()
        _needed("pyarrow.parquet").write_table(table, written)
        return written.getvalue()


def _cell(row: UsageRow, name: str) -> Any:
    return datetime.fromtimestamp(row.at, UTC) if name == "at" else getattr(row, name)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return f"{value:.9g}" if isinstance(value, float) else value


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        raise InvalidRequest(
            f"This needs {name}, which is not installed here.", f"pip install {name}, or jupyter-runai[reports]"
        ) from None
