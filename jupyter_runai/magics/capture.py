"""Which of a notebook's names a cell reads before it defines them itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


# What IPython makes of `%%magic`, `%magic` and `!command`: methods of `get_ipython()` that take the rest as strings.
_MAGICS = frozenset({"run_cell_magic", "run_line_magic"})
_SHELL = frozenset({"system", "getoutput"})
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
# A shell command reads variables as {expression} and $name alone; its other words are not Python's.
_EXPANDED = re.compile(r"\{[^{}]*\}|\$[^\W\d]\w*")


def names_read(source: str) -> list[str]:
    """The names a cell needs from outside, sorted; builtins are among them where the cell uses them.

    Raises:
        SyntaxError: the source is no Python.
    """
    tree = ast.parse(source)
    reader = _Reader()
    try:
        reader.visit_all(tree.body)
    except RecursionError:
        # Too many levels to follow (a sum of thousands of terms): better one name too many than one too few.
        return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    # A function's body runs when it is called: by then the cell has defined all it ever defines at its top level.
    return sorted(reader.needed | (reader.deferred - reader.ever_defined))


def names_defined(source: str) -> set[str]:
    """The names that a cell itself may define at its top level, somewhere."""
    reader = _Reader()
    tree = ast.parse(source)
    try:
        reader.visit_all(tree.body)
    except RecursionError:
        return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    declared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    return reader.ever_defined | declared


def names_in_magics(source: str) -> list[str]:
    """The words in the text of magics and shell commands of a transformed cell, sorted; any may name a variable."""
    texts = [text for node in ast.walk(ast.parse(source)) for text in _magic_texts(node)]
    return sorted({word for text in texts for word in _IDENTIFIER.findall(text)})


def _magic_texts(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=called)):
            constants = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            texts = [text for text in constants if isinstance(text, str)]
            if called in _MAGICS:
                return texts
            if called in _SHELL:
                return [part for text in texts for part in _EXPANDED.findall(text)]
    return []


class _Reader(ast.NodeVisitor):
    """Walks statements in the order they run and keeps what is surely defined so far."""

    def __init__(self, defined: Iterable[str] = ()) -> None:
        self.defined = set(defined)
        self.ever_defined: set[str] = set()
        self.needed: set[str] = set()
        self.deferred: set[str] = set()

    def visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self._define(node.id)
        else:
            self._read(node.id)
            self.defined.discard(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit_all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id)
        self.visit_all([node.value, node.target])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit_all([node.annotation, node.value])
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self._define(alias.asname or alias.name.partition(".")[0])

    visit_ImportFrom = visit_Import

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        before = set(self.defined)
        self.visit_all(node.body)
        after_body, self.defined = self.defined, before
        self.visit_all(node.orelse)
        self.defined &= after_body

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._maybe([node.target, *node.body])
        self._maybe(node.orelse)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._maybe(node.body)
        self._maybe(node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        self._maybe([*node.body, *node.orelse])
        for handler in node.handlers:
            self._maybe([handler])
        self.visit_all(node.finalbody)

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self._define(node.name)
        self.visit_all(node.body)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        for case in node.cases:
            self._maybe([case.pattern, case.guard, *case.body])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.visit_all([node.pattern])
        self._define(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._define(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.visit_all([*node.keys, *node.patterns])
        self._define(node.rest)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_all([*node.decorator_list, node.returns])
        self._visit_function(node, node.body)
        self._define(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all([*node.decorator_list, *node.bases, *node.keywords])
        body = _Reader(self.defined)
        body.visit_all(node.body)
        self.needed |= body.needed
        self.deferred |= body.deferred
        self._define(node.name)

    def visit_ListComp(self, node: _Comprehension) -> None:
        inner = _Reader(self.defined)
        for generator in node.generators:
            inner.visit_all([generator.iter, generator.target, *generator.ifs])
        inner.visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.needed |= inner.needed
        self.deferred |= inner.deferred
        for walrus in ast.walk(node):
            if isinstance(walrus, ast.NamedExpr):
                self.ever_defined.add(walrus.target.id)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def _visit_function(self, node: _Scope, body: list[ast.stmt] | list[ast.expr]) -> None:
        arguments = node.args
        self.visit_all([*arguments.defaults, *arguments.kw_defaults])
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        known = [argument for argument in every if argument is not None]
        self.visit_all(argument.annotation for argument in known)
        inner = _Reader(argument.arg for argument in known)
        inner.visit_all(body)
        declared = {
            name for item in body for part in ast.walk(item) if isinstance(part, ast.Global) for name in part.names
        }
        local = (inner.ever_defined | {argument.arg for argument in known}) - declared
        self.deferred |= (inner.needed | inner.deferred) - local

    def _maybe(self, nodes: Iterable[ast.AST | None]) -> None:
        """Visit what may not run at all: what it defines is not surely defined afterwards."""
        before = set(self.defined)
        self.visit_all(nodes)
        self.defined &= before

    def _read(self, name: str) -> None:
        if name not in self.defined:
            self.needed.add(name)

    def _define(self, name: str | None) -> None:
        if name is not None:
            self.defined.add(name)
            self.ever_defined.add(name)
