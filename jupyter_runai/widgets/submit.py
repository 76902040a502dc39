"""A form for a new workload."""

from __future__ import annotations

import secrets

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.client import shared_client
from jupyter_runai.submission.specification import environment, working_folder
from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import indented
from jupyter_runai.widgets.forecast import Row
from jupyter_runai.widgets.live import Note, in_one_sentence, static
from jupyter_runai.widgets.schema_form import Field, Filled, fields_of, nested
from jupyter_runai.widgets.submitting import SubmittingWidget
from scheduler_core.errors import RunaiError
from scheduler_core.requests import decoded
from scheduler_core.workload import Workload, WorkloadSpec

_FIRST = ("name", "command", "cwd", "kind", "queue", "request.gpu", "tasks")
"""What most people fill in; everything else is below."""

_OURS = frozenset({"key"})
"""Each press of the button has a key of its own."""

_FIELDS = tuple(field for field in fields_of(msgspec.json.schema(WorkloadSpec)) if field.path not in _OURS)


class Choice(Struct, frozen=True):
    """One of several values, and its name."""

    value: str
    label: str


class Entry(Struct, frozen=True, kw_only=True):
    """A field and what is filled in; `choices` are all there are, `ideas` some that there are."""

    name: str
    label: str
    control: str
    value: Filled
    is_required: bool
    choices: tuple[Choice, ...]
    ideas: tuple[str, ...]
    least: float | None
    most: float | None


class SubmitView(Struct, frozen=True, kw_only=True):
    """The form, and in rows what would become of it; `is_current` when they are about what is filled in."""

    title: str
    entries: tuple[Entry, ...]
    more_label: str
    more: tuple[Entry, ...]
    rows: tuple[Row, ...]
    is_current: bool
    button: str
    note: Note

    def text(self) -> str:
        filled = [f"{entry.label}: {entry.value}" for entry in self.entries if entry.value != ""]
        rows = [f"{row.label}: {row.text}" for row in self.rows]
        return "\n".join([self.title, indented([*filled, *rows, self.note.text])])


class Submit(SubmittingWidget):
    """Fill in a workload, see what would become of it, submit it.

    `spec` is what it starts from. The environment is that of `spec`, else the notebook's, with what is filled in.
    """

    _esm = static("elements.js", "forms.js", "submit.js")

    def __init__(self, spec: WorkloadSpec | None = None) -> None:
        try:
            start = WorkloadSpec(command=("python",), cwd=working_folder(), env=environment()) if spec is None else spec
        except RunaiError as error:
            raise in_one_sentence(error) from None
        self._environment = start.env
        values = msgspec.to_builtins(replace(start, env={}))
        self._filled: dict[str, Filled] = {field.path: field.shown(_at(values, field)) for field in _FIELDS}
        if spec is None:
            self._filled["command"] = ""
        super().__init__()

    def _view(self) -> SubmitView:
        by_path = {field.path: field for field in _FIELDS}
        return SubmitView(
            title=strings.NEW_WORKLOAD,
            entries=tuple(self._entry(by_path[path]) for path in _FIRST),
            more_label=strings.MORE,
            more=tuple(self._entry(field) for field in _FIELDS if field.path not in _FIRST),
            rows=self._rows(),
            is_current=self._preview.is_current,
            button=strings.SUBMIT,
            note=self._note(),
        )

    def _entry(self, field: Field) -> Entry:
        is_choice = field.shape == "choice" or (field.shape == "flag" and field.is_nullable)
        values = field.choices or ("", strings.YES, strings.NO)
        parents = {queue.parent for queue in self._watch.queues}
        projects = tuple(queue.name for queue in self._watch.queues if queue.name not in parents)
        return Entry(
            name=field.path,
            label=field.label,
            control="choice" if is_choice else field.shape,
            value=self._filled[field.path],
            is_required=field.is_required,
            choices=tuple(Choice(value, value or strings.UNSET) for value in values) if is_choice else (),
            ideas=projects if field.path == "queue" else (),
            least=field.least,
            most=field.most,
        )

    async def _fill(self, field: str, value: str | bool) -> None:
        if field in self._filled:
            self._filled = {**self._filled, field: value}
            self._ask()

    def _spec(self) -> WorkloadSpec:
        filled = self._filled
        values = nested({field.path: field.read(filled[field.path]) for field in _FIELDS})
        spec = decoded(msgspec.json.encode(values), WorkloadSpec)
        return replace(spec, env={**self._environment, **spec.env})

    def _submit(self) -> Workload:
        return shared_client().submit(replace(self._spec(), key=secrets.token_hex(16)))


def _at(values: object, field: Field) -> object:
    """The value at a field's path; null where the struct leaves it out."""
    for step in field.path.split("."):
        values = values.get(step) if isinstance(values, dict) else None
    return values
