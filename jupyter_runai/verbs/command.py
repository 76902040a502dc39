"""`submit`: a command of one's own as a workload."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.submission.automatic import with_amount_found
from jupyter_runai.submission.specification import Asked, specification
from jupyter_runai.submission.surroundings import is_text, name_of
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.parser import UsageError
from jupyter_runai.words.preview import submission_text
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import Workload, WorkloadSpec


def check_followed(options: Namespace) -> None:
    """Refuse what does not go with staying until the end.

    Raises:
        UsageError: one document cannot be all that is said until then.
    """
    if options.json:
        raise UsageError("--json is the answer of submit alone, not of its command.", "Add --detach.")


def submit(client: Client, options: Namespace) -> Workload:
    """Submit it.

    Raises:
        InvalidRequest: there is no such program, or the engine refuses it; nothing was submitted.
    """
    return client.submit(_specification(client, options))


def preview(client: Client, options: Namespace) -> Answer:
    """What it would ask for and get; nothing is submitted."""
    spec = _specification(client, options)
    verdict = client.preview(spec)
    return Answer(submission_text(spec, verdict), verdict)


def _specification(client: Client, options: Namespace) -> WorkloadSpec:
    """The workload that runs the command here: in this folder, with this environment.

    Raises:
        InvalidRequest: there is no such program, or a word is no text.
    """
    for word in options.command:
        if not is_text(word) or "\0" in word:
            raise InvalidRequest(f"{word!a} cannot be handed to a program: it is not UTF-8.")
    asked = Asked(**{name: getattr(options, name) for name in Asked.__struct_fields__})
    command = _resolved(options.command, in_notebook=options.prefix.startswith("%"))
    script = next((word for word in options.command if word.endswith((".py", ".sh"))), options.command[0])
    asked = with_amount_found(client, with_template(client, asked))
    spec = specification(asked, name_of(Path(script).stem, "command"), command=command)
    # Its output is followed: Python's is to come as it is printed.
    return replace(spec, env={"PYTHONUNBUFFERED": "1", **spec.env})


def _resolved(command: list[str], in_notebook: bool) -> tuple[str, ...]:
    """With the program's full path; a Python file is run with this Python."""
    first = command[0]
    if first.endswith(".py") and Path(first).is_file():
        return (sys.executable, *command)
    # What `python` is in a notebook is the Python of its kernel, whatever PATH says.
    places = os.environ.get("PATH", os.defpath)
    found = shutil.which(first, path=f"{Path(sys.executable).parent}{os.pathsep}{places}" if in_notebook else places)
    if found is None:
        there = "That file cannot be executed." if Path(first).is_file() else f"There is no program {first!r} here."
        raise InvalidRequest(there, "Give its path, or the interpreter before it: -- bash train.sh")
    return (str(Path(found).absolute()), *command[1:])
