"""The Grafana dashboard asks only for metrics and labels that a server exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from prometheus_client.parser import text_string_to_metric_families

from jupyter_runai.client import AsyncClient
from scheduler_core.model import VerdictCode
from scheduler_core.workload import State
from tests.helpers import UNTIL_STOPPED, spec

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
SELECTOR = re.compile(r"(jupyter_runai_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"by \(([^)]*)\)")
LEGEND = re.compile(r"\{\{(\w+)\}\}")
VALUES = re.compile(r"label_values\((\w+), (\w+)\)")
WORDS = {"state": get_args(State), "code": get_args(VerdictCode)}


def asked(dashboard: dict[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """Each metric that is asked for, with the labels that are looked at."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            shown = {label for labels in GROUPED.findall(expression) for label in labels.split(", ")}
            shown |= set(LEGEND.findall(target["legendFormat"]))
            for metric, matchers in SELECTOR.findall(expression):
                yield metric, shown | {label for label, _ in MATCHER.findall(matchers)}
    for variable in dashboard["templating"]["list"]:
        for metric, label in VALUES.findall(variable.get("definition", "")):
            yield metric, {label}


async def exported(jp_fetch: Any) -> dict[str, set[str]]:
    """The labels of each of our series, none where it has no sample."""
    text = (await jp_fetch("metrics")).body.decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name.startswith("jupyter_runai_"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_metric_and_label_it_names_is_exported(jp_fetch: Any, jp_ws_fetch: Any, simulated: object) -> None:
    found = list(asked(json.loads(DASHBOARD.read_text())))
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await AsyncClient().engine.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0))
    # How busy a device is shows once something runs on it.
    while "jupyter_runai_device_utilization_ratio" not in (there := await exported(jp_fetch)):
        assert await stream.read_message() is not None
    assert {metric for metric, _ in found} == set(there)
    for metric, labels in found:
        assert labels <= there[metric], (metric, labels)
    stream.close()


def test_the_words_that_it_looks_for_are_those_that_there_are() -> None:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            for _, matchers in SELECTOR.findall(target["expr"]):
                for label, words in MATCHER.findall(matchers):
                    assert label not in WORDS or set(words.split("|")) <= set(WORDS[label])


def test_it_can_be_laid_out() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
