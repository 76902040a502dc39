"""What all benchmarks share: their arguments, and how a figure is printed."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Mapping
from typing import Literal


def arguments(about: str | None, cases: list[str]) -> argparse.Namespace:
    """Parse `[--case C] [paths]`; without a case all are run."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=cases)
    parser.add_argument("paths", nargs="*")
    return parser.parse_args()


def run_cases(about: str | None, cases: Mapping[str, Callable[[], None]]) -> None:
    """Run the case that was asked for, or all."""
    chosen = arguments(about, cases=list(cases)).case
    for name, case in cases.items():
        if chosen in (None, name):
            case()


def report(
    bench: str,
    case: str,
    value: float,
    unit: str,
    aim: float | None,
    better: Literal["lower", "higher"],
    beside: dict[str, float],
) -> None:
    """Print a readable row and, after it, the figure as JSON; `beside` is in the same unit unless it names another."""
    compared = ", ".join(f"{name} {other:.1f}" for name, other in beside.items())
    wanted = "" if aim is None else f"  (aim: {aim:g} {unit})"
    print(
        f"{case:<24} {value:8.1f} {unit}   beside {compared}{wanted}   [{platform.processor() or platform.machine()}]"
    )
    figure = {
        "bench": bench,
        "case": case,
        "value": round(value, 3),
        "unit": unit,
        "aim": aim,
        "better": better,
        "beside": {name: round(other, 3) for name, other in beside.items()},
    }
    print(json.dumps(figure))
