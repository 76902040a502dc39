"""Quantities as Kubernetes writes them: 100m, 1.5, 2Gi, 1e3."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<unit>[numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?")
_POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = "KMGTPE"
_MIB = 1024 * 1024


@lru_cache(maxsize=4096)
def amount(text: str) -> Fraction:
    """A quantity as an exact number.

    Raises:
        ValueError: it is none, or below 0.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"a quantity is written like 100m or 2Gi, not {text[:40]!r}")
    return Fraction(match["number"]) * _factor(match["unit"] or "")


def _factor(unit: str) -> Fraction:
    if unit.endswith("i"):
        return Fraction(1024 ** (_BINARY.index(unit[0]) + 1))
    if len(unit) > 1:
        return Fraction(10) ** int(unit[1:])
    return Fraction(10) ** _POWERS[unit] if unit else Fraction(1)


def milli(text: str) -> int:
    """In thousandths, rounded up."""
    return int(-(-amount(text) * 1000 // 1))


def mib(text: str) -> int:
    """A number of bytes in MiB, rounded up."""
    return int(-(-amount(text) // _MIB))


def written(exact: Fraction) -> str:
    """A quantity that reads as this number, rounded up to a millionth."""
    return str(exact.numerator) if exact.denominator == 1 else f"{-(-exact * 1_000_000 // 1)}u"
