"""Calls a function on the items of one task, and keeps what it returns or raises under the number of each."""

from __future__ import annotations

import os
import struct
from functools import cache

from .outcomes import error_of, forget, is_kept, keep, keep_loss, load, write
from .processes import one_after_another
from .reports import FAILED, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TOLD_TO_GO = 143


def call_on_items(inputs: str, call: dict[str, Any], folder: str, index: int) -> int:
    """Call the function on this task's items; of those that an earlier run of it was done with, none again."""
    write(f"{folder}/items", str(call["items"]))
    first, end = (number * call["items"] // call["tasks"] for number in (index, index + 1))
    numbers = range(first, end)
    left = [number for number in numbers if not os.path.exists(f"{folder}/{number}.pickle")]
    for number in left:
        forget(folder, str(number))
    with open(f"{inputs}/items.offsets", "rb") as file:
        file.seek(8 * first)
        offsets = struct.unpack(f"<{len(numbers)}Q", file.read(8 * len(numbers)))
    loaded = cache(lambda: load(f"{inputs}/values.pickle", call["names"]))

    def see_to(number: int) -> None:
        def called() -> Any:
            (function,) = loaded().values()
            return function(*load(f"{inputs}/items.pickle", [f"items[{number}]"], offsets[number - first]).values())

        keep(called, folder, str(number))

    def is_done(number: int) -> bool:
        return is_kept(folder, str(number))

    if len(numbers) == 1:
        for number in left:
            see_to(number)
    elif not one_after_another(left, see_to, is_done, lambda number, why: keep_loss(why, folder, str(number))):
        return 0
    if not all(map(is_done, numbers)):
        return _TOLD_TO_GO
    errors = (error_of(folder, str(number)) for number in numbers)
    first_error = next((error for error in errors if error is not None), None)
    report(**({} if first_error is None else {"error": first_error}))
    return FAILED if first_error else 0
