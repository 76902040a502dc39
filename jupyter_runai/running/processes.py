"""Has items seen to one after another in a process of their own, so that one that dies is the end of one item alone."""

from __future__ import annotations

import os
import time
from _signal import SIG_IGN, SIGINT, SIGTERM, set_wakeup_fd, signal  # type: ignore[import-not-found]
from contextlib import suppress
from mmap import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ON_ITS_WAY_S = 0.2
_MOST_SIGNALS = 4096


def one_after_another(
    numbers: list[int],
    see_to: Callable[[int], None],
    is_done: Callable[[int], bool],
    lose: Callable[[int, str], None],
) -> bool:
    """See to each of these numbers; true in the process that has waited for the others, at the end of the last.

    Where one dies, or ends by itself, the number that it was at is lost for this reason, and another goes on with the
    next. Told to go (SIGTERM), none goes on. It forks, and so comes before anything of the user's is loaded.
    """
    if not numbers:
        return True
    told = _Told()
    left = list(numbers)
    while left and not told:
        child = os.fork()
        if not child:
            told.is_of_child()
            for number in left:
                if not told:
                    see_to(number)
            return False
        told.child = child
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        left = [number for number in left if not is_done(number)]
        if code == -SIGTERM and not told:
            # It may be on its way to this one too.
            time.sleep(_ON_ITS_WAY_S)
        if left and not told:
            lose(left.pop(0), _described(code))
    return True


class _Told:
    """Whether this task was told to go, known to the process that waits and to the one that works.

    Signals go to both, and are for the one that works; but in a container only the first process is sent any.
    """

    def __init__(self) -> None:
        self.child = 0
        self._flag = mmap(-1, 1)
        self._sent = -1
        self._before = {SIGTERM: signal(SIGTERM, self._note), SIGINT: signal(SIGINT, SIG_IGN)}

    def __bool__(self) -> bool:
        if self._sent >= 0:
            with suppress(BlockingIOError):
                self._flag[0] |= SIGTERM in os.read(self._sent, _MOST_SIGNALS)
        return self._flag[0] != 0

    def is_of_child(self) -> None:
        """What handles signals is the user's again; of those that it handles notes are left."""
        for number, handler in self._before.items():
            signal(number, handler)
        self._sent, notes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        set_wakeup_fd(notes, warn_on_full_buffer=False)

    def _note(self, number: int, frame: Any) -> None:
        self._flag[0] = 1
        if os.getpid() == 1 and self.child:
            os.kill(self.child, SIGTERM)


def _described(code: int) -> str:
    import signal as signals  # noqa: PLC0415 (it would double the start of every task)

    return f"killed by {signals.Signals(-code).name}" if code < 0 else f"exit status {code}"
