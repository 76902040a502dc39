"""Calls a function that travelled, once or for many items, and keeps what it returns or raises.

`call.json` in the inputs is {names, keywords, path, sources}; `values.pickle` has one pickle after another in the order
of `names`: the function is the first, the last ones are its `keywords`. For a call on many items it says how many
`items` and `tasks` there are; `items.pickle` has one pickle an item, `items.offsets` where each begins, in eight bytes.

What is left of a call is kept as `outcomes.py` writes it, under `result`, in task N of a gang under `result-N`, and of
an item under its number.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType

from .items import call_on_items
from .outcomes import keep, load
from .reports import FAILED, remember_source, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run_call(inputs: str, folder: str, index: int) -> int:
    """Call the function, once or for each item of this task; 0 when all of it ended well."""
    with open(f"{inputs}/call.json", encoding="utf-8") as file:
        call = json.load(file)
    if call["path"] is not None:
        sys.path[:] = call["path"]
    sys.modules["__main__"] = ModuleType("__main__")
    for filename, source in call["sources"].items():
        remember_source(filename, source)
    if "items" in call:
        return call_on_items(inputs, call, folder, index)
    name = f"result-{index}" if index else "result"

    def called() -> Any:
        function, *arguments = load(f"{inputs}/values.pickle", call["names"]).values()
        positional = len(arguments) - len(call["keywords"])
        return function(*arguments[:positional], **dict(zip(call["keywords"], arguments[positional:], strict=True)))

    # Of several tasks the first one's value comes back.
    results, error = keep(called, folder, name, with_value=index == 0)
    report(**({"results": results} if error is None else {"error": error}))
    return FAILED if error else 0
