"""What can be scaled out: a specification, a function that makes one, or a cell."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.client import shared_client
from jupyter_runai.magics import RunaiMagics
from jupyter_runai.magics.cell import CellLimits, CellOptions, prepared_cell, submit_cell
from jupyter_runai.magics.keeping import check_keep
from jupyter_runai.magics.returned import returned_by
from jupyter_runai.submission.specification import specification
from jupyter_runai.submission.surroundings import name_hint
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.verbs.options import CELL_VERBS, cell_parser
from jupyter_runai.widgets import strings
from jupyter_runai.words.figures import share
from scheduler_core.errors import InvalidRequest, RunaiError
from scheduler_core.model import MILLI
from scheduler_core.workload import Workload, WorkloadSpec

MakeSpec: TypeAlias = Callable[[float, int, int], WorkloadSpec]
_AMOUNTS = frozenset(
    {"--gpu", "--gpu-memory", "--devices", "--gpu-limit", "--gpu-memory-limit", "--workers", "--elastic"}
)
_MAGIC = "%%runai"


class Amount(Struct, frozen=True, kw_only=True):
    """So many workers, each on `milli` thousandths of so many devices."""

    milli: int = MILLI
    devices: int = 1
    workers: int = 1

    @property
    def gpu(self) -> str | int:
        """As a request says it: the share, or whole devices."""
        return self.devices if self.milli == MILLI else share(self.milli)


class Job(Protocol):
    """Work of an amount that is still to be chosen; `initial` is what it asks for by itself."""

    initial: Amount
    takes_shares_of_several: bool

    def line(self, amount: Amount) -> str:
        """The cell's first line; empty where there is no cell."""
        ...

    def spec(self, amount: Amount) -> WorkloadSpec: ...

    def submit(self, amount: Amount) -> Workload: ...

    @property
    def outputs(self) -> Sequence[str]:
        """The variables that come back at its end."""
        ...

    def bring_back(self, workload: Workload) -> str:
        """Take these over from a workload that has ended; the answer says what came."""
        ...


class SpecJob:
    """A specification, or a function of (share, devices, workers) that makes one."""

    takes_shares_of_several = True
    outputs = ()

    def __init__(self, source: WorkloadSpec | MakeSpec) -> None:
        self._source = source
        self.initial = _amount_of(source) if isinstance(source, WorkloadSpec) else Amount()

    def line(self, amount: Amount) -> str:
        return ""

    def spec(self, amount: Amount) -> WorkloadSpec:
        source = self._source
        if not isinstance(source, WorkloadSpec):
            return _made(source, amount)
        devices = 1 if amount.milli == MILLI else amount.devices
        request = replace(
            source.request, gpu=amount.gpu, gpu_memory_mib=0, gpu_limit=0, gpu_memory_limit_mib=0, gpu_devices=devices
        )
        return replace(source, request=request, tasks=amount.workers, min_tasks=None)

    def submit(self, amount: Amount) -> Workload:
        return shared_client().submit(replace(self.spec(amount), key=secrets.token_hex(16)))

    def bring_back(self, workload: Workload) -> str:
        return ""


class CellJob:
    """A cell's source; of a line `%%runai train ...` or `run` at its top everything but the amount stays.

    Raises:
        InvalidRequest: there is no notebook, or the line is none of `%%runai train` or `run`.
    """

    takes_shares_of_several = False

    def __init__(self, source: str) -> None:
        shell = get_ipython()
        if shell is None:
            raise InvalidRequest(strings.NO_SHELL)
        self._shell: InteractiveShell = shell
        self._verb, line, self._source = _split(source)
        options = CellOptions(**vars(cell_parser(self._verb).parse(line)))
        self._others = list(_without_amounts(line))
        self.outputs: Sequence[str] = options.outputs
        gpu = 1 if options.gpu in (None, AUTO) else options.gpu
        milli = MILLI if isinstance(gpu, int) else round(float(gpu) * MILLI)
        devices = gpu if isinstance(gpu, int) else 1
        self.initial = Amount(milli=milli, devices=devices, workers=options.workers or 1)

    def line(self, amount: Amount) -> str:
        return f"{_MAGIC} {self._verb} {shlex.join(self._words(amount))}"

    def spec(self, amount: Amount) -> WorkloadSpec:
        return specification(self._options(amount), name_hint(os.environ, "cell"))

    def submit(self, amount: Amount) -> Workload:
        magics = self._shell.magics_manager.registry.get("RunaiMagics") or RunaiMagics(self._shell)
        limits = CellLimits(warn=magics.warn_values, refuse=magics.largest_values)
        options = self._options(amount)
        check_keep(options)
        cell = prepared_cell(self._shell, options, self._source, magics.modules)
        return submit_cell(self._shell, shared_client(), options, cell, limits)

    def bring_back(self, workload: Workload) -> str:
        returned = returned_by(shared_client(), workload)
        self._shell.push(returned.values)
        left = {result.name for result in workload.report.results} if workload.report is not None else set()
        missing = [strings.NOT_BACK.format(name) for name in self.outputs if name not in left]
        return " · ".join([*returned.words, *returned.lost, *missing])

    def _words(self, amount: Amount) -> list[str]:
        workers = ["--workers", str(amount.workers)] if amount.workers > 1 else []
        return ["--gpu", str(amount.gpu), *workers, *self._others]

    def _options(self, amount: Amount) -> CellOptions:
        words = self._words(amount)
        options = CellOptions(kind=CELL_VERBS[self._verb], **vars(cell_parser(self._verb).parse(words)))
        return with_template(shared_client(), options)


def job_of(work: str | WorkloadSpec | MakeSpec) -> Job:
    """What this work is.

    Raises:
        InvalidRequest: nothing that can be scaled out.
    """
    if isinstance(work, str):
        return CellJob(work)
    if isinstance(work, WorkloadSpec) or callable(work):
        return SpecJob(work)
    raise InvalidRequest(strings.NOT_A_JOB.format(type(work).__name__))


def _amount_of(spec: WorkloadSpec) -> Amount:
    request = spec.request
    if request.portion_milli:
        return Amount(milli=request.portion_milli, devices=request.gpu_devices, workers=spec.tasks)
    return Amount(devices=max(1, request.whole_devices), workers=spec.tasks)


def _made(make: MakeSpec, amount: Amount) -> WorkloadSpec:
    try:
        made: object = make(amount.milli / MILLI, amount.devices, amount.workers)
    except RunaiError:
        raise
    except Exception as error:
        raise InvalidRequest(strings.NOT_MADE.format(type(error).__name__, error)) from error
    if not isinstance(made, WorkloadSpec):
        raise InvalidRequest(strings.NOT_A_SPEC.format(type(made).__name__))
    return made


def _split(source: str) -> tuple[str, list[str], str]:
    """The verb of the cell's line `%%runai ...`, the words behind it, and its code."""
    first, _, rest = source.lstrip().partition("\n")
    if not first.startswith(_MAGIC):
        return "train", [], source
    verb, *words = shlex.split(first.removeprefix(_MAGIC)) or [""]
    if verb not in CELL_VERBS:
        raise InvalidRequest(strings.NOT_TRAIN.format(verb))
    return verb, words, rest


def _without_amounts(words: list[str]) -> Iterator[str]:
    left = iter(words)
    for word in left:
        option, has_value, _ = word.partition("=")
        if option not in _AMOUNTS:
            yield word
        elif not has_value:
            next(left, None)
