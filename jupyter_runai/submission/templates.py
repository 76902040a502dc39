"""Templates and environments of the engine, in what people ask for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Protocol, TypeVar

from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.submission.specification import Asked
from scheduler_core.errors import NotFound
from scheduler_core.policies.templates import Catalog, Template


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)
A = TypeVar("A", bound=Asked)


def with_template(client: Client, asked: A) -> A:
    """What is asked for, with what its template says where it says nothing itself, and its environment looked up.

    Raises:
        NotFound: there is no such template or environment.
    """
    if asked.template is None and asked.environment is None:
        return asked
    catalog = client.catalog()
    if asked.template is not None:
        asked = _filled(asked, named(catalog.templates, asked.template, "template"))
    if isinstance(asked.environment, str):
        asked = replace(asked, environment=named(catalog.environments, asked.environment, "environment"))
    return asked


def names(catalog: Catalog) -> tuple[list[str], list[str]]:
    """The names of the templates, and of the environments."""
    return [one.name for one in catalog.templates], [one.name for one in catalog.environments]


def _filled(asked: A, template: Template) -> A:
    has_amount = asked.gpu is not None or asked.gpu_memory is not None
    has_number = asked.workers is not None or asked.elastic is not None
    return replace(
        asked,
        gpu=asked.gpu if has_amount else template.gpu,
        gpu_memory=asked.gpu_memory if has_amount else template.gpu_memory,
        workers=asked.workers if has_number else template.workers,
        project=asked.project or template.project,
        priority=asked.priority or template.priority,
        retries=asked.retries or template.retries or 0,
        max_time=asked.max_time or template.max_time,
        environment=asked.environment or template.environment,
    )


def named(known: Iterable[N], name: str, what: str) -> N:
    """The one of this name; `what` says what they are.

    Raises:
        NotFound: there is none; the hint names the nearest, or those there are.
    """
    by_name = {one.name: one for one in known}
    if name not in by_name:
        nearest = get_close_matches(name, by_name, 1)
        there = f"There is: {', '.join(by_name) or 'none'}."
        raise NotFound(f"There is no {what} {name!r}.", f"Did you mean {nearest[0]}?" if nearest else there)
    return by_name[name]
