"""The parser reads exactly its grammar, answers everything else with an ExpressionError, and evaluates nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.errors import BadInput
from constructions.targets import expression as ex
from constructions.targets.expression import MAX_EXPONENT
from constructions.targets.language import MAX_DEPTH, MAX_TEXT, ExpressionError, parse
from constructions.targets.target import Target
from tests.strategies import Sample, fuzz, mutated, samples

X, Y = ex.Own(0), ex.Other(0)


def number(value: Fraction | int) -> ex.Number:
    return ex.Number(Fraction(value))


CONSTRUCTS = {
    "x": X,
    "x[0]": X,
    "((x))": X,
    "+x": X,
    "-x": ex.Apply("neg", X),
    "n": ex.Length(),
    "pi": ex.Pi(),
    "0.1": number(Fraction(1, 10)),
    "1e-2": number(Fraction(1, 100)),
    "1_000.5": number(Fraction(2001, 2)),
    "12345678901234567890": number(12345678901234567890),
    ".5": number(Fraction(1, 2)),
    "5.": number(5),
    "x+1": ex.Binary("+", X, number(1)),
    "x-1": ex.Binary("-", X, number(1)),
    "x*2": ex.Binary("*", X, number(2)),
    "1/3": ex.Binary("/", number(1), number(3)),
    "x**2": ex.Power(X, number(2)),
    "x**x": ex.Power(X, X),
    "-x**2": ex.Apply("neg", ex.Power(X, number(2))),
    "2**x**3": ex.Power(number(2), ex.Power(X, number(3))),
    "x-1-2": ex.Binary("-", ex.Binary("-", X, number(1)), number(2)),
    "x+2*x": ex.Binary("+", X, ex.Binary("*", number(2), X)),
    "order(2)": ex.OrderStatistic(number(2)),
    "mean(y)": ex.Reduction("mean", Y),
    "mean(1)": ex.Reduction("mean", number(1)),
    "sum(x*mean(y))": ex.Reduction("sum", ex.Binary("*", X, ex.Reduction("mean", Y))),
    "maximum(x, 1)": ex.Binary("maximum", X, number(1)),
    "minimum(1, x)": ex.Binary("minimum", number(1), X),
    " x ": X,
    "(x\n+ 1)": ex.Binary("+", X, number(1)),
    **{f"{name}(x)": ex.Apply(name, X) for name in ex.FUNCTIONS},
    **{f"{kind}(y)": ex.Reduction(kind, Y) for kind in ex.REDUCTIONS},
}


@pytest.mark.parametrize("text", CONSTRUCTS)
def test_every_construct_of_the_grammar_becomes_its_tree(text: str) -> None:
    assert parse(text, 1) == (CONSTRUCTS[text],)


def test_unlike_trees_are_unequal_so_the_table_above_can_fail() -> None:
    assert parse("x-1-2", 1) != parse("x-(1-2)", 1)
    assert parse("-x**2", 1) != parse("(-x)**2", 1)
    assert parse("0.1", 1) != (ex.Number(Fraction(0.1)),)


def test_a_top_level_tuple_has_one_output_an_entry() -> None:
    assert parse("(x[1], mean(y[0]), 2)", 2) == (ex.Own(1), ex.Reduction("mean", ex.Other(0)), number(2))
    assert parse("x,", 1) == (X,)


@given(st.fractions(min_value=0, max_value=100).map(lambda q: Fraction(round(q * 10**6), 10**6)))
@settings(max_examples=50, deadline=None)
def test_decimals_are_read_exactly(value: Fraction) -> None:
    whole, rest = divmod(value * 10**6, 10**6)
    assert parse(f"{whole}.{int(rest):06d}", 1) == (number(value),)


@given(st.sampled_from([1, 2]).flatmap(lambda d: st.tuples(st.just(d), samples(d=d))))
@settings(max_examples=60, deadline=None)
def test_every_generated_text_is_accepted(case: tuple[int, Sample]) -> None:
    d, sample = case
    (tree,) = parse(sample.text, d)
    assert ex.specialise(tree, 3) is not None


@pytest.mark.parametrize("text", ["(x**2)**3", "0.1**2", "x/0.1", "(1/x)**2", "-x**2", "(-x)**2", "2**x**2", "x-(1-x)"])
def test_a_printed_tree_reads_back_with_the_same_values(text: str) -> None:
    box, tokens = Box.parse("1,2", 1), np.array([[1.25], [1.75]])
    printed = str(parse(text, 1)[0])
    again = Target.from_text(printed, n=2, box=box)
    assert np.allclose(again.numpy(tokens), Target.from_text(text, n=2, box=box).numpy(tokens), rtol=1e-12), printed


MALFORMED = {
    "attribute": "x.real", "dunder": "x.__class__.__mro__", "method": "x.sum()", "foreign call": "print(x)",
    "import": "__import__('os').getcwd()", "eval": "eval('x')", "open": "open('x')", "lambda": "lambda: x",
    "called lambda": "(lambda: x)()", "list comprehension": "[x for x in (1, 2)]", "generator": "sum(y for y in x)",
    "set comprehension": "{x for x in y}", "dict": "{x: x}", "list": "[x]", "f-string": "f'{x}'", "string": "'x'",
    "bytes": "b'x'", "walrus": "(z := x)", "slice": "x[0:1]", "tuple index": "x[0, 0]", "name index": "x[n]",
    "negative index": "x[-1]", "float index": "x[0.0]", "boolean index": "x[False]", "index too large": "x[1]",
    "subscripted number": "1[0]", "subscripted n": "n[0]", "double subscript": "x[0][0]", "y outside": "y",
    "y outside beside": "mean(y)+y", "y in order": "order(y)", "conditional": "x if x else x", "comparison": "x < 1",
    "chain": "0 < x < 1", "and": "x and x", "not": "not x", "invert": "~x", "floor division": "x//2", "modulo": "x % 2",
    "matrix product": "x @ x", "shift": "x << 1", "bit or": "x | 1", "xor": "x ^ 2", "complex": "1j", "true": "True",
    "none": "None", "ellipsis": "...", "starred": "mean(*y)", "starred tuple": "(*x,)", "keyword": "exp(a=x)",
    "double starred": "exp(**x)", "no argument": "mean()", "two arguments": "mean(y, y)", "max of two": "max(x, x)",
    "one argument": "maximum(x)", "function as value": "exp", "reduction as value": "mean*x", "call of x": "x(1)",
    "unknown name": "z", "nested tuple": "((x, x), x)", "tuple inside": "mean((y, y))", "empty": "", "blank": "  \t ",
    "empty tuple": "()", "statement": "x = 1", "two statements": "x; x", "def": "def f(): pass", "await": "await x",
    "yield": "(yield x)", "newline": "x\n+1", "two lines": "x\nx", "null byte": "x\x00", "surrogate": "\ud800",
    "emoji": "x + \N{SNOWMAN}", "accent": "\u00e9", "line separator": "(x\u2028+ 1)", "carriage return": "(x\r+ z)",
    "huge decimal": "9" * 5000, "huge hexadecimal": "0x" + "f" * 5000, "beyond float64": "9" * 400, "float overflow": "1e400",
    "huge index": "x[0x" + "f" * 5000 + "]", "huge exponent": "x**1000000", "huge hexadecimal exponent": "x**0x" + "f" * 5000,
    "huge negative exponent": "x**-10001", "quotient exponent": "x**(1/1e-9999)", "tiny exponent field": "1e-123456",
    "huge exponent field": "1e123456", "order in the plane": "order()", "open parenthesis": "(x", "closed parenthesis": "x)",
    "5000 parentheses": "(" * 5000 + "x" + ")" * 5000, "5000 open parentheses": "(" * 5000, "5000 minus signs": "-" * 5000 + "x",
    "5000 plus": "x" + "+x" * 5000, "too many calls": "exp(" * 160 + "x" + ")" * 160, "2000 attributes": "x" + ".a" * 2000,
    "900 nots": "not " * 900 + "x", "90 powers of tuples": "x" + "**(x,)" * 50, "2000 subscripts": "x" + "[0]" * 2000,
    "comment only": "# x", "continuation": "\\", "leading zero": "007", "double underscore": "1__0", "percent": "5%",
    "too long": "x+" * MAX_TEXT + "x",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_text_is_answered_with_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, 1)
    assert isinstance(caught.value, BadInput)
    assert caught.value.column >= 1
    assert str(caught.value).startswith(f"expression, column {caught.value.column}: ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["x", "x[2]", "y", "mean(y)", "order(1)", "x[True]", "mean(y[-1])"])
def test_what_needs_one_coordinate_is_refused_in_the_plane(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text, 2)


@given(fuzz())
@settings(max_examples=300, deadline=None)
def test_fuzz_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    _parse_or_refuse(text)


@given(mutated())
@settings(max_examples=150, deadline=None)
def test_a_valid_text_with_a_typing_error_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    _parse_or_refuse(text)


def _parse_or_refuse(text: str) -> None:
    for d in (1, 2):
        try:
            trees, column = parse(text, d), 1
        except ExpressionError as error:
            trees, column = (), error.column
        assert 1 <= column <= len(text) + 2
        assert all(isinstance(tree, ex.Expression) for tree in trees)


def test_foreign_code_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    attack = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    for text in (attack, f"mean({attack})", f"x + f'{{{attack}}}'", f"[{attack} for z in 'a']", f"(lambda: {attack})()",
                 f"(z := {attack})", f"x[{attack}]"):
        with pytest.raises(ExpressionError):
            parse(text, 1)
    assert not trace.exists()
    exec(attack)  # the attack does work where it is run
    assert trace.exists()


COLUMNS = {
    "x + zz": 5, "zz": 1, "  zz": 1, "mean(y) + y": 11, "x*mean(y)*foo(x)": 11, "x + (1).real": 5, "mean(x, y)": 1,
    "x ** 10001": 6, "exp(log(z))": 9, "x + \u00e9": 5, "(x\n + z)": 7, "x + sin(cos(x[7]))": 13, "x // 2 + y": 1,
    "x +* 2": 4, "(x\n +* 2)": 6,
}


@pytest.mark.parametrize("text", COLUMNS)
def test_the_column_points_at_the_offending_part(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, 1)
    assert caught.value.column == COLUMNS[text]


MESSAGES = {
    "x*meen(y)": "expression, column 3: unknown function 'meen', did you mean mean?\n  x*meen(y)\n    ^",
    "y": "expression, column 1: y has a meaning only inside mean(..), sum(..), max(..) or min(..)\n  y\n  ^",
    "max(x, 1)": "expression, column 1: max(..) takes 1 argument (of two values: maximum(a, b))\n  max(x, 1)\n  ^",
    "maximum(x)": "expression, column 1: maximum(..) takes 2 arguments\n  maximum(x)\n  ^",
    "1 + x[3]": "expression, column 5: x[3] is outside x[0] .. x[0] (d = 1)\n  1 + x[3]\n      ^",
    "x.real": "expression, column 1: 'x.real' is not part of the language (Attribute is not allowed)\n  x.real\n  ^",
    "1 + x//2": "expression, column 5: the operator FloorDiv is not allowed, use + - * / **\n  1 + x//2\n      ^",
    "1e400": "expression, column 1: 1e400 is too large\n  1e400\n  ^",
    "x+": "expression, column 3: not an expression (invalid syntax)\n  x+\n    ^",
    "()": "expression, column 1: an empty tuple has no outputs\n  ()\n  ^",
}


@pytest.mark.parametrize("text", MESSAGES)
def test_the_message_shows_text_reason_and_caret(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, 1)
    assert str(caught.value) == MESSAGES[text]


def test_a_function_without_parentheses_is_not_answered_with_its_own_name() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("x*exp", 1)
    assert "did you mean exp?" not in str(caught.value)


def test_a_long_text_is_shown_around_the_caret() -> None:
    text = "x+" * 70 + "zz" + "+x" * 70
    with pytest.raises(ExpressionError) as caught:
        parse(text, 1)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^"):].startswith("zz")
    assert len(shown) <= 102


def test_nesting_is_allowed_up_to_its_limit_and_not_beyond() -> None:
    parse("-" * MAX_DEPTH + "x", 1)
    with pytest.raises(ExpressionError, match="nested more than"):
        parse("-" * (MAX_DEPTH + 1) + "x", 1)


def test_an_exponent_is_allowed_up_to_its_limit_and_not_beyond() -> None:
    parse(f"x**{MAX_EXPONENT} + x**-{MAX_EXPONENT}", 1)
    for text in (f"x**{MAX_EXPONENT + 1}", f"x**(-{MAX_EXPONENT} - 1)", f"x**(2*{MAX_EXPONENT})"):
        with pytest.raises(ExpressionError, match="larger than"):
            parse(text, 1)


def test_columns_do_not_take_part_in_equality() -> None:
    assert parse("x+1", 1) == parse("  x  +  1", 1)
    assert parse("x + 1", 1)[0].column == 1
    assert [node.column for node in parse("x + exp(2)", 1)[0].walk()] == [1, 1, 5, 9]


RANKS = {"order(0)": 1, "x + order(n+1)": 5, "order(1.5)": 1, "order(x)": 1, "order(-1)": 1, "order(pi)": 1, "order(1/0)": 1,
         "order(0x" + "f" * 5000 + ")": None, "order(1e-9999)": None}


@pytest.mark.parametrize("text", RANKS, ids=lambda text: text[:20])
def test_a_rank_that_is_not_one_to_n_is_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Target.from_text(text, n=3, box=Box.parse("0,1", 1))
    assert RANKS[text] is None or caught.value.column == RANKS[text]


def test_ranks_and_exponents_are_resolved_for_the_length() -> None:
    assert ex.specialise(parse("order((n+1)/2)", 1)[0], 5) == ex.OrderStatistic(number(3))
    assert ex.specialise(parse("x**n", 1)[0], 4) == ex.Power(X, number(4))
    assert ex.specialise(parse("x**0.5", 1)[0], 4) == ex.Power(ex.Apply("sqrt", X), number(1))
    assert ex.specialise(parse("x**-1.5", 1)[0], 4) == ex.Power(ex.Apply("sqrt", X), number(-3))
    logarithm = ex.Apply("log", X)
    assert ex.specialise(parse("x**0.3", 1)[0], 4) == ex.Apply("exp", ex.Binary("*", number(Fraction(3, 10)), logarithm))


def test_bound_and_free_others_are_told_apart() -> None:
    assert not ex.depends_on(parse("mean(y)", 1)[0], ex.Other)
    assert ex.depends_on(parse("mean(y)", 1)[0].body, ex.Other)  # type: ignore[attr-defined]
    assert ex.depends_on(parse("mean(x*y)", 1)[0], ex.Own)
    assert not ex.depends_on(parse("mean(y)", 1)[0], ex.Own)


@pytest.mark.parametrize(("text", "written", "d"), [
    ("sum(dot(x, y))", "sum(x*y)", 1), ("sum(dot(x, y))", "sum(x[0]*y[0] + x[1]*y[1])", 2),
    ("mean(exp(-dot(x-y, x-y)))", "mean(exp(-((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2]))))", 3),
    ("dot(x[1]*x, mean(y))", "x[1]*x[0]*mean(y[0]) + x[1]*x[1]*mean(y[1])", 2),
    ("mean(dot(x, y) + dot(y, y))", "mean((x[0]*y[0] + x[1]*y[1]) + (y[0]*y[0] + y[1]*y[1]))", 2)])
def test_dot_is_the_sum_over_coordinates(text: str, written: str, d: int) -> None:
    assert parse(text, d) == parse(written, d)


@pytest.mark.parametrize(("text", "d", "reason"), [
    ("dot(x, dot(x, x))", 2, "inside dot"), ("dot(x)", 2, "takes 2 arguments"), ("dot(x, y)", 2, "y has a meaning only inside"),
    ("dot(x, x)*x", 2, "x alone needs d = 1"), ("dot(x, x)", 500, "over 500 coordinates is too long"),
    ("dot(x," + " " * 19_000 + "x)", 40, "too long"), ("dot", 2, "dot is a function")])
def test_other_dots_are_errors(text: str, d: int, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        parse(text, d)
