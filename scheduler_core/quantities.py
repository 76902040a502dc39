"""Times, sizes of memory and shares of a device as people write them."""

from __future__ import annotations

import re

from scheduler_core.model import MILLI, gpu_amount

_SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[KMGT])(i?B)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MIB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
_MOST = 1_000_000


def is_size(text: str) -> bool:
    """Whether it is written as a memory size."""
    return _SIZE.fullmatch(text) is not None


def mib_of(text: str) -> int:
    """A memory size in MiB: 20G is 20480.

    Raises:
        ValueError: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    mib = float(match["number"]) * _MIB[match["unit"].upper()] if match else 0
    if mib < 1:
        raise ValueError(f"a memory size is written like 20G or 512M, not {text}")
    if mib > _MOST * _MIB["T"]:
        raise ValueError(f"no device has more memory than {_MOST:,}T")
    return int(mib)


def seconds_of(text: str) -> float:
    """A time in seconds: 2h is 7200.

    Raises:
        ValueError: it is none.
    """
    match = _TIME.fullmatch(text.strip())
    time = float(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 0 < time <= _MOST * _SECONDS["d"]:
        raise ValueError(f"a time is written like 30s, 90m, 2h or 1d, not {text}")
    return time


def milli_of(amount: int | float | str) -> int:
    """A share such as 0.5 or a whole number of devices, in thousandths of a device.

    Raises:
        ValueError: it is neither.
    """
    text = str(amount)
    whole, milli = gpu_amount(int(text) if text.isdecimal() else text)
    if whole > _MOST:
        raise ValueError(f"no machine has more than {_MOST:,} devices")
    return whole * MILLI + milli


def time_text(seconds: float) -> str:
    """Seconds in the largest unit in which they are whole: 90m, 2h."""
    for unit in ("d", "h", "m"):
        number, rest = divmod(seconds, _SECONDS[unit])
        if number and not rest:
            return f"{number:g}{unit}"
    return f"{seconds:g}s"


def milli_text(milli: int) -> str:
    """Thousandths of a device as a decimal: 0.5, 1, 0.125."""
    return f"{milli / MILLI:g}"
