"""The parser of the target language: text -> :mod:`expression`, through ``ast`` and a white list, never ``eval``.

Grammar, in words: ``x`` (own token; ``x[0]``, ``x[1]``, .. or ``x`` alone when d = 1), ``y`` inside ``mean sum max min``
of one argument, ``order(m)``, ``n``, ``pi``, decimal numbers (read exactly: ``0.1`` is 1/10), ``+ - * / **``, the functions
of :data:`expression.FUNCTIONS`, two-argument ``maximum`` and ``minimum``, and a top-level tuple for several outputs. In
``dot(a, b)`` the names ``x`` and ``y`` alone are whole tokens: it is written out as the sum of a b over their coordinates.
"""

from __future__ import annotations

import ast
import functools
import re
from fractions import Fraction

from constructions.errors import BadInput, nearest
from constructions.targets import expression as ex

MAX_TEXT = 20_000
MAX_DEPTH = 150
MOST_COPIES = 8  # of the longest text, for its dot(..) written out
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_CALLS = (*ex.FUNCTIONS, *ex.PAIRS, *ex.REDUCTIONS, "order", "dot")
WORDS = ("x", "y", "n", "pi", "i", "j", *_CALLS)


class ExpressionError(BadInput):
    """A text outside the language; the message shows the text and a caret under the offending part."""

    def __init__(self, text: str, reason: str, column: int) -> None:
        self.reason, self.column = reason, column
        start = max(0, column - 61)
        shown = " ".join(text[start:start + 100].split("\n"))
        super().__init__(f"expression, column {column}: {reason}\n  {shown}\n  {' ' * (column - 1 - start)}^")


def parse(text: str, d: int, positional: bool = False) -> tuple[ex.Expression, ...]:
    """Parse a target text for tokens with d coordinates into one expression per output feature.

    With ``positional`` a token has one coordinate more, its position i/n: then ``i`` is n times that of the own token and
    ``j``, inside a reduction, n times that of y (mathematics: positional-encoding).

    Raises:
        ExpressionError: with the offending part, the reason and the column.

    >>> [str(e) for e in parse("x*mean(y)", 1)]
    ['(x[0] * mean(y[0]))']
    >>> [str(e) for e in parse("sum(dot(x, y))", 2)]
    ['sum(((x[0] * y[0]) + (x[1] * y[1])))']
    """
    text = text.replace("\r", "\n")  # ast counts lines by both
    if len(text) > MAX_TEXT:
        raise ExpressionError(text, f"{len(text)} characters are too many, at most {MAX_TEXT} are read", 1)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        message = getattr(error, "msg", None) or str(error)
        raise ExpressionError(text.strip(), f"not an expression ({message})", _syntax_column(text.strip(), error)) from None
    except (RecursionError, MemoryError):
        raise ExpressionError(text, "nested too deeply", 1) from None
    outputs = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    if not outputs:
        raise ExpressionError(text, "an empty tuple has no outputs", 1)
    reader = _Reader(text.strip(), d, positional)
    return tuple(reader.read(node, inside=False, depth=0) for node in outputs)


def coordinates_in(text: str) -> int:
    """Return how many coordinates of a token a text names: 2 for ``x[0]*y[1]``, 0 where it names none by number."""
    return max((int(number) + 1 for number in re.findall(r"\b[xy]\s*\[\s*(\d{1,2})\s*\]", text)), default=0)


def _syntax_column(text: str, error: Exception) -> int:
    """Return the position in the whole text: Python reports a line and a place on it, 0 where the text ends too early."""
    line, offset = getattr(error, "lineno", None) or 1, getattr(error, "offset", 1)
    if offset == 0:
        return len(text) + 1
    return sum(len(earlier) + 1 for earlier in text.split("\n")[: line - 1]) + max(1, offset or 1)


class _Reader:
    def __init__(self, text: str, d: int, positional: bool) -> None:
        self.text, self.d, self.positional = text, d, positional
        self.within: int | None = None  # the coordinate that x and y alone are, inside dot(..)

    def read(self, node: ast.expr, *, inside: bool, depth: int) -> ex.Expression:
        if depth > MAX_DEPTH:
            raise self._error(node, f"nested more than {MAX_DEPTH} levels deep")
        column = self._column(node)
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name(id=name):
                return self._name(node, name, inside)
            case ast.Subscript(value=ast.Name("x" | "y" as name), slice=ast.Constant(value=int() as index)) if type(index) is int:
                return self._coordinate(node, name, index, inside)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return ex.Apply("neg", self.read(operand, inside=inside, depth=depth + 1), column=column)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, inside=inside, depth=depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(node, left, op, right, inside, depth)
            case ast.Call():
                return self._call(node, inside, depth)
        raise self._error(node, f"{self._source(node)!r} is not part of the language "
                                f"({type(node).__name__} is not allowed)")

    def _column(self, node: ast.AST) -> int:
        # ast counts bytes on the node's own line; the message counts characters of the whole text.
        lines = self.text.split("\n")
        line = getattr(node, "lineno", 1) - 1
        prefix = lines[line].encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore")
        return sum(len(earlier) + 1 for earlier in lines[:line]) + len(prefix) + 1

    def _source(self, node: ast.AST) -> str:
        source = ast.get_source_segment(self.text, node) or ""
        return source if len(source) <= 40 else source[:37] + "..."

    def _error(self, node: ast.AST, reason: str) -> ExpressionError:
        return ExpressionError(self.text, reason, self._column(node))

    def _number(self, node: ast.Constant) -> ex.Number:
        source = (ast.get_source_segment(self.text, node) or "").replace("_", "")
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self._error(node, f"{node.value!r} is not a real number")
        if isinstance(node.value, float) and not abs(node.value) < float("inf"):
            raise self._error(node, f"{self._source(node)} is too large")
        _, _, exponent = source.lower().partition("e")
        if isinstance(node.value, float) and len(exponent) > 5:
            raise self._error(node, f"the exponent of {self._source(node)} is too large")
        value = Fraction(node.value) if isinstance(node.value, int) else Fraction(source)
        if value and not Fraction(1, 10**300) <= value <= 10**300:
            raise self._error(node, f"{self._source(node)} is outside 1e-300 .. 1e300")
        return ex.Number(value, column=self._column(node))

    def _name(self, node: ast.Name, name: str, inside: bool) -> ex.Expression:
        column = self._column(node)
        if name in ("x", "y"):
            if self.within is None and self.d != 1:
                raise self._error(node, f"{name} alone needs d = 1, but d = {self.d}: write {name}[0] .. {name}[{self.d - 1}]")
            return self._coordinate(node, name, self.within or 0, inside)
        if name == "n":
            return ex.Length(column=column)
        if name == "pi":
            return ex.Pi(column=column)
        if name in ("i", "j"):
            return self._position(node, name, inside)
        if name in _CALLS:
            raise self._error(node, f"{name} is a function: write {name}(..)")
        raise self._error(node, f"unknown name {name!r}, {nearest(name, WORDS)}")

    def _position(self, node: ast.Name, name: str, inside: bool) -> ex.Expression:
        if not self.positional:
            raise self._error(node, f"{name} is the index of a token, which an equivariant function does not see: "
                                    f"pass --positional to give every token its position")
        if name == "j" and not inside:
            raise self._error(node, "j has a meaning only inside mean(..), sum(..), max(..) or min(..)")
        column = self._column(node)
        position = (ex.Own if name == "i" else ex.Other)(self.d, column=column)
        return ex.Binary("*", ex.Length(column=column), position, column=column)

    def _coordinate(self, node: ast.expr, name: str, index: int, inside: bool) -> ex.Expression:
        if not 0 <= index < self.d:
            raise self._error(node, f"{self._source(node)} is outside {name}[0] .. {name}[{self.d - 1}] (d = {self.d})")
        if name == "x":
            return ex.Own(index, column=self._column(node))
        if not inside:
            raise self._error(node, "y has a meaning only inside mean(..), sum(..), max(..) or min(..)")
        return ex.Other(index, column=self._column(node))

    def _binary(self, node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr, inside: bool,
                depth: int) -> ex.Expression:
        first = self.read(left, inside=inside, depth=depth + 1)
        second = self.read(right, inside=inside, depth=depth + 1)
        if isinstance(op, ast.Pow):
            exponent = ex.rational_value(second)
            if exponent is not None and abs(exponent) > ex.MAX_EXPONENT:
                raise self._error(right, f"the exponent {self._source(right)} is larger than {ex.MAX_EXPONENT}")
            return ex.Power(first, second, column=self._column(node))
        if type(op) not in _OPERATORS:
            raise self._error(node, f"the operator {type(op).__name__} is not allowed, use + - * / **")
        return ex.Binary(_OPERATORS[type(op)], first, second, column=self._column(node))

    def _call(self, node: ast.Call, inside: bool, depth: int) -> ex.Expression:
        if not isinstance(node.func, ast.Name):
            raise self._error(node, f"only plain functions can be called, not {self._source(node.func)!r}")
        name, column = node.func.id, self._column(node)
        if name not in _CALLS:
            raise self._error(node, f"unknown function {name!r}, {nearest(name, _CALLS)}")
        expected = 2 if name in (*ex.PAIRS, "dot") else 1
        if node.keywords or len(node.args) != expected or any(isinstance(a, ast.Starred) for a in node.args):
            advice = f" (of two values: {name}imum(a, b))" if name in ("max", "min") and len(node.args) == 2 else ""
            raise self._error(node, f"{name}(..) takes {expected} argument{'s' * (expected - 1)}{advice}")
        if name == "dot":
            return self._dot(node, inside, depth)
        arguments = [self.read(a, inside=inside or name in ex.REDUCTIONS, depth=depth + 1) for a in node.args]
        if name in ex.PAIRS:
            return ex.Binary(name, *arguments, column=column)
        if name in ex.REDUCTIONS:
            return ex.Reduction(name, arguments[0], column=column)
        if name == "order":
            if self.d != 1:
                raise self._error(node, f"order(m) sorts tokens, which needs d = 1, but d = {self.d}")
            return ex.OrderStatistic(arguments[0], column=column)
        return ex.Apply(name, arguments[0], column=column)

    def _dot(self, node: ast.Call, inside: bool, depth: int) -> ex.Expression:
        if self.within is not None:
            raise self._error(node, "dot(..) inside dot(..): x and y would be tokens and coordinates at once")
        if depth + self.d > MAX_DEPTH or self.d * len(self.text) > MAX_TEXT * MOST_COPIES:
            raise self._error(node, f"dot(..) over {self.d} coordinates is too long a sum")
        column, products = self._column(node), list[ex.Expression]()
        for c in range(self.d):
            self.within = c
            first, second = (self.read(argument, inside=inside, depth=depth + 1) for argument in node.args)
            products.append(ex.Binary("*", first, second, column=column))
        self.within = None
        return functools.reduce(lambda a, b: ex.Binary("+", a, b, column=column), products)
