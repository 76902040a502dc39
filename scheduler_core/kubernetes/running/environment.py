"""A workload's environment as a Secret: whoever may read workloads need not read what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scheduler_core.errors import InvalidRequest

_VARIABLE = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SHELL_FUNCTION = re.compile(r"BASH_FUNC_.*(%%|\(\))")
"""A function that a shell exports: no shell stands between a pod and its program."""


def written_environment(env: Mapping[str, str]) -> dict[str, bytes]:
    """What the Secret of a workload's name holds.

    Raises:
        InvalidRequest: a variable has a name that no pod can be given.
    """
    found = {variable: value for variable, value in env.items() if not _SHELL_FUNCTION.fullmatch(variable)}
    for variable in found:
        if not _VARIABLE.fullmatch(variable):
            raise InvalidRequest(f"A pod cannot be given a variable of the name {variable!r}.", "Submit without it.")
    return {variable: value.encode() for variable, value in found.items()}


def read_environment(content: Mapping[str, bytes]) -> dict[str, str]:
    """The environment that was written so."""
    return {variable: value.decode() for variable, value in content.items()}
