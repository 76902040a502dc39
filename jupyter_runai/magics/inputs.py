"""Which of the notebook's values a cell takes along."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from jupyter_runai.magics.capture import names_defined, names_in_magics, names_read
from scheduler_core.errors import InvalidRequest

_OWN = frozenset({"In", "Out", "get_ipython", "exit", "quit", "display"})
_MAY_DEFINE_ANYTHING = frozenset({"exec", "eval", "globals", "locals", "vars", "get_ipython"})


def captured(python: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What the cell reads and the notebook has; IPython's own names stay here."""
    return {
        name: namespace[name]
        for name in sorted({*names_read(python), *names_in_magics(python)})
        if name in namespace and name not in _OWN and not _is_builtin(name, namespace[name])
    }


def chosen(names: Sequence[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """These of the notebook's values.

    Raises:
        InvalidRequest: the notebook has no variable of such a name; the hint is the nearest that it has.
    """
    for name in names:
        if name not in namespace:
            nearest = _nearest(name, namespace)
            hint = f"Did you mean {nearest}?" if nearest else "-i takes names of the notebook's variables: -i a,b"
            raise InvalidRequest(f"This notebook has no variable {name!r}.", hint)
    return {name: namespace[name] for name in dict.fromkeys(names)}


def unknown(python: str, taken: Collection[str], namespace: Mapping[str, Any]) -> list[str]:
    """A sentence for each name that the cell reads and neither it nor `taken` defines, as far as can be known now."""
    read = set(names_read(python))
    if _MAY_DEFINE_ANYTHING & read or _imports_everything(python):
        return []
    missing = sorted(
        name
        for name in read - names_defined(python)
        if name not in taken and name not in _OWN and not hasattr(builtins, name) and not name.startswith("__")
    )
    sentences = []
    for name in missing:
        if name in namespace:
            sentences.append(f"The cell reads {name!r}, which -i leaves here.")
            continue
        nearest = _nearest(name, namespace)
        question = f" Did you mean {nearest}?" if nearest else ""
        sentences.append(f"The cell reads {name!r}, which neither it nor the notebook defines.{question}")
    return sentences


def _imports_everything(python: str) -> bool:
    imports = (node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.ImportFrom))
    return any(alias.name == "*" for node in imports for alias in node.names)


def _nearest(name: str, namespace: Mapping[str, Any]) -> str:
    nearest = get_close_matches(name, [known for known in namespace if not known.startswith("_")], 1)
    return nearest[0] if nearest else ""


def _is_builtin(name: str, value: Any) -> bool:
    return getattr(builtins, name, captured) is value
