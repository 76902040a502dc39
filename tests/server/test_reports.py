"""Reports over REST: files that a browser saves, about the time and the groups that were asked for."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import AsyncClient
from scheduler_core.workload import Workload
from tests.helpers import spec

BASE = "jupyter-runai"


async def has_run(name: str) -> Workload:
    client = AsyncClient()
    workload = await client.engine.submit(spec("pass", gpu="0.5", name=name))
    async for _ in client.engine.logs(workload.id, follow=True):
        pass
    return workload


async def test_a_page_is_saved_that_has_the_whole_report(jp_fetch: Any) -> None:
    await has_run("short")
    answer = await jp_fetch(BASE, "report.html", params={"by": "workload"})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    name = f"gpu-usage-by-workload-{date.today()}.html"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    page = answer.body.decode()
    assert page.startswith("<!doctype html>")
    assert "<td>short</td>" in page
    assert "GPU-hours by day" in page
    assert "Simulated devices" in page


async def test_a_table_is_saved_for_the_time_that_is_asked_about(jp_fetch: Any) -> None:
    workload = await has_run("short")
    answer = await jp_fetch(BASE, "report.csv", params={"by": "workload", "since": workload.created})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.body.decode()))
    assert (row["group"], row["name"]) == (workload.id, "short")
    before = await jp_fetch(BASE, "report.csv", params={"until": workload.created - 60, "since": 0})
    assert list(csv.DictReader(io.StringIO(before.body.decode()))) == []


@pytest.mark.parametrize("query", ["by=colour", "since=yesterday", "since=2&until=1"])
@pytest.mark.parametrize("file", ["report.csv", "report.html"])
async def test_what_cannot_be_reported_is_refused(jp_fetch: Any, file: str, query: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(BASE, file, params=dict(parse_qsl(query)))
    assert refused.value.code == 400
    assert refused.value.response is not None
    assert json.loads(refused.value.response.body)["code"] == "invalid_request"
