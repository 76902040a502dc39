"""`jupyter runai`: the line verbs on the command line, and what is for one who runs a machine or a cluster.

`jupyter runai engine` is the daemon in the foreground, `jupyter runai cluster` puts what a cluster needs in place.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from jupyter_runai.client import shared_client
from jupyter_runai.verbs.line import read_line, run_verb
from jupyter_runai.verbs.options import verb_parsers
from jupyter_runai.verbs.parser import UsageError
from jupyter_runai.verbs.terminal import run_command
from scheduler_core.errors import RunaiError

REFUSED = 1
MISUSED = 2


def main(words: list[str] | None = None) -> int:
    """Run one verb.

    Exit status: 0 answered, 1 refused or failed, 2 a line that cannot be read, the last two with a sentence on standard
    error; of `submit` that of its command, of `engine` and `cluster` their own.
    """
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["engine"]:
        from scheduler_core.local.__main__ import main as serve  # noqa: PLC0415 (only the daemon needs the planner)

        return serve(words[1:], "jupyter runai engine")
    if words[:1] == ["cluster"]:
        return _cluster(words[1:])
    try:
        return _run(words)
    except RunaiError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return MISUSED if isinstance(error, UsageError) else REFUSED
    except BrokenPipeError:
        # Whoever read this has gone; at its end Python would stumble over it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED


def _cluster(words: list[str]) -> int:
    if find_spec("kubernetes") is None:
        print("This needs more packages: pip install 'jupyter-runai[kubernetes]'", file=sys.stderr)  # noqa: T201
        return REFUSED
    from scheduler_core.kubernetes.__main__ import main as administer  # noqa: PLC0415 (the others do without)

    return administer(words, "jupyter runai cluster")


def _run(words: list[str]) -> int:
    verb, options = read_line(words, verb_parsers("jupyter runai"), "jupyter runai")
    if verb == "submit" and not options.detach and not options.dry_run:
        return run_command(shared_client(), options)
    print(run_verb(shared_client(), verb, options))  # noqa: T201 (this is the answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
