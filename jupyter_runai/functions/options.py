"""What may be asked for a function's workload: the options of a cell's line, by their Python names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any, TypedDict, TypeVar

from jupyter_runai.submission.specification import Asked
from jupyter_runai.verbs.options import checked_options, with_amount
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import JobKindName

F = TypeVar("F", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """Each may be left out or null.

    `gpu` is a share such as 0.5, a whole number of devices, or "auto" for what the last runs of its `name` peaked at,
    `gpu_memory` a share as device memory such as "20G";
    without either the function runs on the CPU. `gpu_limit` and `gpu_memory_limit`, in the same form, are up to what a
    share may use of what is free of its device. `max_time` is seconds, or a time such as "2h".
    `template` and `environment` are names of the engine's: `%runai template list`, `%runai environment list`. On a
    cluster `image` is the container image, `mount` a volume claim and its place such as "datasets:/data", or several.
    """

    gpu: float | str | None
    gpu_memory: str | None
    gpu_limit: float | str | None
    gpu_memory_limit: str | None
    workers: int | None
    project: str | None
    priority: str | None
    name: str | None
    retries: int | None
    max_time: float | str | None
    template: str | None
    environment: str | None
    image: str | None
    job_kind: JobKindName | None
    mount: str | Sequence[str] | None


class WithOptions:
    """A function that has options of its own; those of a call go before."""

    def __init__(self, function: Callable[..., Any], given: Mapping[str, object]) -> None:
        self.__wrapped__ = function
        self.given = given


NAMES = tuple(Options.__annotations__)


def asked(given: Mapping[str, object]) -> Asked:
    """The options, checked.

    Raises:
        InvalidRequest: one is unknown or has a value that it cannot have.
    """
    for name in given:
        if name not in NAMES:
            nearest = get_close_matches(name, NAMES, 1)
            otherwise = f"What the function itself is to get goes into kwargs: kwargs={{{name!r}: ...}}."
            raise InvalidRequest(f"{name!r} is no option.", f"Did you mean {nearest[0]}?" if nearest else otherwise)
    checked = checked_options({name: _as_written(name, value) for name, value in given.items()})
    return Asked(**{name: checked[name] for name in NAMES})


def of_another_amount(request: TaskRequest, given: Mapping[str, object]) -> TaskRequest:
    """The request with the amount that is given by the names of options, all else of it as it was.

    Raises:
        InvalidRequest: no amount is given, or it cannot be had.
    """
    amount = asked(given)
    if amount.gpu is None and amount.gpu_memory is None:
        raise InvalidRequest("resize needs gpu or gpu_memory.", "Such as resize(gpu=0.25)")
    return with_amount(request, amount)


def plain(function: Callable[..., Any], given: Mapping[str, object]) -> tuple[Callable[..., Any], Asked]:
    """The function itself, and the options of a call of it, checked.

    Raises:
        InvalidRequest: as above, or it is no function.
    """
    if isinstance(function, WithOptions):
        function, given = function.__wrapped__, {**function.given, **given}
    if not callable(function):
        raise InvalidRequest(
            f"What is to be called is no function but of type {type(function).__name__}.",
            "Give the function itself, its arguments after it.",
        )
    return function, asked(given)


def _as_written(name: str, value: object) -> object:
    """Numbers as people write them in a cell's line: 2 for 2.0, 90s for 90 seconds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if name == "max_time" and isinstance(value, int | float):
        return f"{value}s"
    return value


def with_options(function: F) -> F:
    """The function with the options by name in its signature, for help and completion."""
    plain = signature(function)
    kept = [parameter for parameter in plain.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
    options = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in NAMES]
    function.__signature__ = plain.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    return function
