"""Which names a cell takes from the notebook."""

from __future__ import annotations

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from jupyter_runai.magics.capture import names_in_magics, names_read


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("model = SVC().fit(X, y)", "SVC X y"),
        ("x = 1\nx + y", "y"),
        ("x += 1", "x"),
        ("x: int = 1", "int"),
        ("x: int", "int"),
        ("a.b = c", "a c"),
        ("a[i] = c", "a c i"),
        ("del x", "x"),
        ("import numpy as np\nnp.ones(n)", "n"),
        ("import os.path\nos.sep", ""),
        ("from a import b as c\nc", ""),
        ("def f(a, *b, c=d, **e): return a, b, c, e, g", "d g"),
        ("def f(): return later\nlater = 1", ""),
        ("def f():\n    global g\n    g = h", "h"),
        ("def f():\n    inner = 1\n    def g(): return inner, outer\n    return g", "outer"),
        ("async def f(): return await w", "w"),
        ("@decorate\ndef f(x: kind) -> other: ...", "decorate kind other"),
        ("f = lambda x: x + y", "y"),
        ("class A(B, meta=C):\n    x = D\n    y = x\n    def m(self): return A, E", "B C D E"),
        ("[x + a for x in xs if p(x)]", "a p xs"),
        ("{k: v for k, v in d.items()}", "d"),
        ("[y for x in xs for y in x]", "xs"),
        ("if c:\n    x = 1\nelse:\n    x = 2\nx", "c"),
        ("if c:\n    x = 1\nx", "c x"),
        ("for i in r:\n    t = i\nt", "r t"),
        ("while c:\n    c = f()", "c f"),
        ("try:\n    x = f()\nexcept E as e:\n    x = e\nx", "E f x"),
        ("with open(p) as f:\n    text = f.read()\ntext", "open p"),
        ("(n := len(xs)) + n", "len xs"),
        (
            "match v:\n    case {'a': x, **rest}: print(x, rest)\n    case [y, *ys]: print(y, ys)\n    case _: z",
            "print v z",
        ),
        ("f'{a:{w}}'", "a w"),
        ("x = x0 = y\nx0", "y"),
        ("", ""),
    ],
)
def test_names_are_those_read_before_they_are_surely_defined(source: str, names: str) -> None:
    assert names_read(source) == names.split()


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        names_read("x = = 1")


@pytest.mark.parametrize(
    "source",
    [
        "total = " + " + ".join(["x"] * 2000),
        "if x == 0: pass\n" + "".join(f"elif x == {n}: pass\n" for n in range(700)),
    ],
)
def test_a_cell_of_many_levels_is_read_too(source: str) -> None:
    assert "x" in names_read(source)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("%%time\ny = g(zz) + 1\n", {"g", "zz"}),
        ("%timeit -n 10 g(zz)", {"g", "zz"}),
        ("def f():\n    %time g(zz)", {"g", "zz"}),
        ("!echo {zz} $other word", {"zz", "other"}),
        ("lines = !cat {folder}/x", {"folder"}),
        ("import os\nos.system('{zz}')", set()),
        ("print('zz')", set()),
    ],
)
def test_names_in_magics_and_shell_commands_are_found(cell: str, names: set[str]) -> None:
    found = names_in_magics(TransformerManager().transform_cell(cell))
    known = {"g", "zz", "other", "word", "folder", "lines", "x"}
    assert known.intersection(found) == names
