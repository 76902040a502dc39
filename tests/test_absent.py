"""What an engine on a cluster does not keep it refuses, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from scheduler_core.errors import InvalidRequest
from scheduler_core.kubernetes.absent import Absent


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda engine: engine.audit(), "the audit log of its API server"),
        (lambda engine: engine.check_policies("cluster: {}"), "Policies are not for clusters yet."),
        (lambda engine: engine.simulate("2xA100-80GB"), "none are simulated."),
    ],
)
async def test_it_says_what_there_is_not(ask: Callable[[Absent], Coroutine[Any, Any, object]], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        await ask(Absent())
