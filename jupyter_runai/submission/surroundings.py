"""What a workload takes over from where it is submitted: environment variables and a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def text_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are text; a workload does without those that are not."""
    return {name: value for name, value in environment.items() if is_text(name + value)}


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold it: names of files and variables may have bytes that are no text."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def name_hint(environment: Mapping[str, str], otherwise: str) -> str:
    """The notebook's own name where the server tells it, as far as a workload can be called so."""
    return name_of(Path(environment.get("JPY_SESSION_NAME", "")).stem, otherwise)


def name_of(text: str, otherwise: str) -> str:
    """A text as far as a workload can be called so."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-") or otherwise
