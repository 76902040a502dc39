"""A workload's inputs as a Secret: so much of them travels as the API server takes."""

from __future__ import annotations

from pathlib import Path

from scheduler_core.errors import TooLarge

RUNNER = "runner"
"""The folder of a workload's inputs that is not its submitter's: it does not count."""
_LARGEST = 900_000
_LARGEST_RUNNER = 140_000
"""In bytes: a Secret holds 1 MiB."""


def written_inputs(folder: Path) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The paths of all files in the folder, and their content by the number of their path.

    Raises:
        TooLarge: it is more than a Secret holds.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = tuple(path.relative_to(folder).as_posix() for path in files)
    theirs = sum(file.stat().st_size for file, path in zip(files, paths, strict=True) if not _is_ours(path))
    ours = sum(file.stat().st_size for file, path in zip(files, paths, strict=True) if _is_ours(path))
    if theirs > _LARGEST or ours > _LARGEST_RUNNER:
        raise TooLarge(
            f"{theirs / 1e6:.1f} MB would travel, and a cluster takes along up to {_LARGEST / 1e6:.1f} MB.",
            "Leave large values in a file or an object store that its tasks can read, and send the path.",
        )
    return paths, {str(number): file.read_bytes() for number, file in enumerate(files)}


def _is_ours(path: str) -> bool:
    return path.startswith(f"{RUNNER}/")
