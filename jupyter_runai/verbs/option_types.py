"""What the values of options are: each function reads one as people write it, or says in a sentence what is wrong."""

from __future__ import annotations

import argparse
import re
import time

from jupyter_runai.reports.period import moment
from scheduler_core.model import gpu_amount
from scheduler_core.quantities import mib_of, seconds_of
from scheduler_core.workload import MOST_RETRIES, MOST_TASKS, Mount, Scale

AUTO = "auto"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_MOST = 1_000_000


def gpu(text: str) -> int | str:
    """A share such as 0.5 as it was written, or a whole number of devices."""
    try:
        whole, portion = gpu_amount(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if whole > _MOST:
        raise argparse.ArgumentTypeError(f"no machine has more than {_MOST:,} devices")
    if not whole and not portion:
        raise argparse.ArgumentTypeError("0 asks for no device: leave --gpu out to run on the CPU")
    return whole or text


def gpu_or_auto(text: str) -> int | str:
    """As `gpu`, or `auto`: what the last runs of the same name have peaked at."""
    return text if text == AUTO else gpu(text)


def devices(text: str) -> int:
    """A whole number of devices."""
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST:
        raise argparse.ArgumentTypeError(f"a whole number of devices from 1 on, not {text}")
    return int(text)


def memory(text: str) -> int:
    """A memory size in MiB: 20G is 20480."""
    try:
        return mib_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def mount(text: str) -> Mount:
    """A volume claim, or a folder of one, and where it is to be seen: datasets:/data, home/alice:/home/me, a:/b:ro."""
    claim, _, rest = text.partition(":")
    path, _, way = rest.partition(":")
    name, _, folder = claim.partition("/")
    if not name or not path.startswith("/") or way not in ("", "ro", "rw"):
        raise argparse.ArgumentTypeError(f"a claim and a path, such as datasets:/data or datasets:/data:ro, not {text}")
    return Mount(claim=name, path=path, sub_path=folder, read_only=way == "ro")


def retries(text: str) -> int:
    """A number of runs after one that fails."""
    if not text.isdecimal() or int(text[:9]) > MOST_RETRIES:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MOST_RETRIES}, not {text}")
    return int(text)


def workers(text: str) -> int:
    """A number of tasks."""
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_TASKS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_TASKS}, not {text}")
    return int(text)


def elastic(text: str) -> tuple[int, int]:
    """The fewest and the most tasks: 2:8."""
    fewest, _, most = text.partition(":")
    if not most or not 1 <= workers(fewest) <= workers(most):
        raise argparse.ArgumentTypeError(f"the fewest and the most workers are written like 2:8, not {text}")
    return int(fewest), int(most)


def scale(text: str) -> Scale:
    """A number of tasks, or the fewest and the most: 2:8."""
    if ":" not in text:
        return Scale(tasks=workers(text))
    fewest, most = elastic(text)
    return Scale(tasks=most, min_tasks=fewest if fewest < most else None)


def index(text: str) -> int:
    """The index of a task."""
    if not text.isdecimal() or int(text[:9]) >= MOST_TASKS:
        raise argparse.ArgumentTypeError(f"tasks are numbered from 0, not {text}")
    return int(text)


def seconds(text: str) -> float:
    """A time in seconds: 2h is 7200."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def name(text: str) -> str:
    """The name of a workload or a profile."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"a name has lower-case letters, digits, '-', '_' and '.', at most 63, not {text!r}"
        )
    return text


def names(text: str) -> list[str]:
    """The names of variables: a,b."""
    variables = [variable.strip() for variable in text.split(",")]
    for variable in variables:
        if not variable.isidentifier():
            raise argparse.ArgumentTypeError(f"{variable!r} is not the name of a variable")
    return variables


def past_moment(text: str) -> float:
    """A time in seconds since the epoch."""
    try:
        return moment(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
