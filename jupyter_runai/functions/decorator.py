"""Functions that run as workloads whenever they are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar, Unpack

from jupyter_runai.functions.errors import door
from jupyter_runai.functions.handle import Handle
from jupyter_runai.functions.options import Options, WithOptions, asked, with_options
from jupyter_runai.functions.submission import submit

P = ParamSpec("P")
R = TypeVar("R")


class RemoteFunction(WithOptions, Generic[P, R]):
    """A function that is submitted when called; `local` calls it here, `options` gives one that asks otherwise."""

    __wrapped__: Callable[P, R]
    given: Options

    def __init__(self, function: Callable[P, R], given: Options) -> None:
        super().__init__(function, given)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Submit a call; the arguments are the function's own."""
        return submit(self.__wrapped__, *args, kwargs=kwargs, **self.given)

    def local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here, as if it were not decorated."""
        return self.__wrapped__(*args, **kwargs)

    @with_options
    @door
    def options(self, **changes: Unpack[Options]) -> RemoteFunction[P, R]:
        """The same function with other options; those that are not named stay."""
        given: Options = {**self.given, **changes}
        asked(given)
        return RemoteFunction(self.__wrapped__, given)


@with_options
@door
def remote(
    function: Callable[P, R] | None = None, /, **options: Unpack[Options]
) -> RemoteFunction[P, R] | Callable[[Callable[P, R]], RemoteFunction[P, R]]:
    """Make a function one that runs as a workload: `@runai.remote(gpu=0.5)`, or plain `@runai.remote`.

    Called, it gives a handle at once, as `runai.submit` does.

    Raises:
        InvalidRequest: an option is unknown or has a value that it cannot have.
    """
    asked(options)
    if function is None:
        return lambda decorated: RemoteFunction(decorated, options)
    return RemoteFunction(function, options)
