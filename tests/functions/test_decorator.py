"""`@runai.remote`: a function that runs as a workload whenever it is called."""

from __future__ import annotations

import os

import pytest

import jupyter_runai as runai
from jupyter_runai.client import Client
from scheduler_core.errors import InvalidRequest


def test_a_call_gives_a_handle_and_the_plain_function_stays_there(engine: Client) -> None:
    @runai.remote(gpu=0.5)
    def scaled(x: int, by: int = 2) -> tuple[int, str]:
        """Scale."""
        return x * by, os.environ.get("RUNAI_GPU_PORTION", "here")

    assert scaled(3, by=4).result() == (12, "0.5")
    assert scaled.options(gpu=0.25)(3).result() == (6, "0.25")
    assert scaled.local(3) == scaled.__wrapped__(3) == (6, "here")
    assert (scaled.__name__, scaled.__doc__) == ("scaled", "Scale.")


def test_map_takes_the_functions_options(engine: Client) -> None:
    @runai.remote(gpu=0.25, name="sweep")
    def share(_: int) -> str:
        return os.environ["RUNAI_GPU_PORTION"]

    assert runai.map(share, [1, 2]) == ["0.25", "0.25"]
    assert runai.map(share, [1], gpu=0.5, name="other") == ["0.5"]
    assert runai.submit(share, 1, gpu=0.1).result() == "0.1"
    assert [workload.name for workload in engine.list()] == ["sweep", "other", "sweep"]


def test_it_needs_no_options_and_may_call_itself(engine: Client) -> None:
    @runai.remote
    def factorial(n: int) -> int:
        return n * factorial.local(n - 1) if n else 1

    assert factorial(5).result() == 120


def test_a_wrong_option_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidRequest, match="'gpus' is no option"):
        runai.remote(gpus=1)  # type: ignore[call-overload]
    with pytest.raises(InvalidRequest, match="gpu: a share is a whole number of thousandths"):
        runai.remote(gpu=0.3335)
    with pytest.raises(InvalidRequest, match="priority: invalid choice"):
        runai.remote(abs).options(priority="urgent")
