"""Hypothesis strategies: random valid target texts with a naive meaning beside them, fuzz texts, random tokens."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import arb, fmpq
from hypothesis import strategies as st

Tokens = Sequence[Sequence[Any]]
# own index, tokens, index of the token that y stands for -> value
Meaning = Callable[["Field", int, Tokens, int], Any]


@dataclass(frozen=True)
class Field:
    """Scalar arithmetic in which a meaning is computed, one token at a time."""

    number: Callable[[Fraction], Any]
    functions: Mapping[str, Callable[[Any], Any]]
    larger: Callable[[Any, Any], Any] = max
    smaller: Callable[[Any, Any], Any] = min


FLOATS = Field(float, {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tanh": math.tanh,
    "sigmoid": lambda u: 1 / (1 + math.exp(-u)), "abs": abs, "relu": lambda u: max(u, 0.0), "pi": lambda _: math.pi})
FRACTIONS = Field(Fraction, {"abs": abs, "relu": lambda u: max(u, Fraction(0))})
BALLS = Field(lambda q: arb(fmpq(q.numerator, q.denominator)), {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh,
    "sigmoid": lambda u: 1 / (1 + (-u).exp()), "abs": abs, "relu": lambda u: u.max(arb(0)), "pi": lambda _: arb.pi()},
    lambda a, b: a.max(b), lambda a, b: a.min(b))
SYMBOLS = Field(lambda q: sympy.Rational(q.numerator, q.denominator), {
    "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "sin": sympy.sin, "cos": sympy.cos, "tanh": sympy.tanh,
    "sigmoid": lambda u: 1 / (1 + sympy.exp(-u)), "abs": sympy.Abs, "relu": lambda u: sympy.Max(u, 0),
    "pi": lambda _: sympy.pi}, sympy.Max, sympy.Min)


@dataclass(frozen=True)
class Sample:
    """A text of the language and what it means, without a parser."""

    text: str
    meaning: Meaning

    def value(self, field: Field, own: int, tokens: Tokens) -> Any:
        return self.meaning(field, own, tokens, own)


_NUMBERS = {"0.1": Fraction(1, 10), "2": Fraction(2), "1.5": Fraction(3, 2), "0.25": Fraction(1, 4), "3e-1": Fraction(3, 10),
            "(1/3)": Fraction(1, 3)}


@st.composite
def samples(draw: st.DrawFn, *, d: int = 1, n: int = 3, depth: int = 3, inside: bool = False, rational: bool = False,
            smooth: bool = False) -> Sample:
    """Draw a text that is defined for all real tokens: divisors, logarithms and roots see 1 + u^2 only."""
    def smaller(within: bool = inside) -> Sample:
        return draw(samples(d=d, n=n, depth=depth - 1, inside=within, rational=rational, smooth=smooth))

    kinds = ["leaf"] if depth == 0 else ["leaf", "operator", "operator", "power", "quotient", "sign", "mean", "sum"]
    if depth and not smooth:
        kinds += ["abs", "relu", "maximum", "minimum", "max", "min"] + ["order"] * (d == 1)
    if depth and not rational:
        kinds += ["exp", "log", "sqrt", "root", "sin", "cos", "tanh", "sigmoid"]
    kind = draw(st.sampled_from(kinds))
    if kind == "leaf":
        return draw(_leaves(d, n, inside, rational))
    if kind == "order":
        m = draw(st.integers(1, n))
        return Sample(f"order({m})", lambda F, i, t, j: _largest(F, t, m))
    if kind in ("mean", "sum", "max", "min"):
        return _reduction(kind, smaller(True))
    u = smaller()
    if kind in ("operator", "maximum", "minimum", "quotient"):
        return _pair(draw(st.sampled_from("+-*")) if kind == "operator" else kind, u, smaller())
    if kind == "power":
        p = draw(st.sampled_from([0, 1, 2, 3, -1, -2]))
        if p < 0:
            return Sample(f"(1 + ({u.text})**2)**{p}", lambda F, i, t, j: _power(1 / (1 + _power(u.meaning(F, i, t, j), 2)), -p))
        return Sample(f"({u.text})**{p}", lambda F, i, t, j: _power(u.meaning(F, i, t, j), p) if p else F.number(Fraction(1)))
    return _function(kind, u)


@st.composite
def _leaves(draw: st.DrawFn, d: int, n: int, inside: bool, rational: bool) -> Sample:
    c = draw(st.integers(0, d - 1))
    bare = d == 1 and draw(st.booleans())
    kind = draw(st.sampled_from(["x", "number", "n", *(["y"] * 3 if inside else ["x"] * 2), *([] if rational else ["pi"])]))
    if kind == "x":
        return Sample("x" if bare else f"x[{c}]", lambda F, i, t, j: t[i][c])
    if kind == "y":
        return Sample("y" if bare else f"y[{c}]", lambda F, i, t, j: t[j][c])
    if kind == "n":
        return Sample("n", lambda F, i, t, j: F.number(Fraction(n)))
    if kind == "pi":
        return Sample("pi", lambda F, i, t, j: F.functions["pi"](None))
    text, value = draw(st.sampled_from(sorted(_NUMBERS.items())))
    return Sample(text, lambda F, i, t, j: F.number(value))


def _power(base: Any, exponent: int) -> Any:
    """Multiply out: a ball around 0 has no other integer powers."""
    result = base
    for _ in range(exponent - 1):
        result = result * base
    return result


def _largest(field: Field, tokens: Tokens, m: int) -> Any:
    """The m-th largest first coordinate; numbers that cannot be sorted are compared by larger and smaller."""
    values = [token[0] for token in tokens]
    for end in range(len(values) - 1, 0, -1):
        for k in range(end):
            a, b = values[k], values[k + 1]
            values[k], values[k + 1] = field.larger(a, b), field.smaller(a, b)
    return values[m - 1]


def _reduction(kind: str, body: Sample) -> Sample:
    def meaning(field: Field, i: int, tokens: Tokens, j: int) -> Any:
        values = [body.meaning(field, i, tokens, k) for k in range(len(tokens))]
        total = values[0]
        for value in values[1:]:
            total = {"max": field.larger, "min": field.smaller}.get(kind, lambda a, b: a + b)(total, value)
        return total / field.number(Fraction(len(tokens))) if kind == "mean" else total
    return Sample(f"{kind}({body.text})", meaning)


def _pair(kind: str, u: Sample, v: Sample) -> Sample:
    def meaning(field: Field, i: int, tokens: Tokens, j: int) -> Any:
        a, b = u.meaning(field, i, tokens, j), v.meaning(field, i, tokens, j)
        return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "quotient": lambda: a / (1 + _power(b, 2)),
                "maximum": lambda: field.larger(a, b), "minimum": lambda: field.smaller(a, b)}[kind]()
    text = {"quotient": f"({u.text})/(1 + ({v.text})**2)"}.get(kind)
    if kind in ("maximum", "minimum"):
        text = f"{kind}({u.text}, {v.text})"
    return Sample(text or f"({u.text}) {kind} ({v.text})", meaning)


def _function(kind: str, u: Sample) -> Sample:
    def meaning(field: Field, i: int, tokens: Tokens, j: int) -> Any:
        a = u.meaning(field, i, tokens, j)
        match kind:
            case "sign":
                return -a
            case "exp":  # minus binds weaker than the power
                return field.functions["exp"](-_power(a, 2))
            case "log":
                return field.functions["log"](1 + _power(a, 2))
            case "sqrt":
                return field.functions["sqrt"](1 + _power(a, 2))
            case "root":
                return _power(field.functions["sqrt"](1 + _power(a, 2)), 3)
        return field.functions[kind](a)
    texts = {"sign": f"-({u.text})", "exp": f"exp(-({u.text})**2)", "log": f"log(1 + ({u.text})**2)",
             "sqrt": f"sqrt(1 + ({u.text})**2)", "root": f"(1 + ({u.text})**2)**1.5"}
    return Sample(texts.get(kind, f"{kind}({u.text})"), meaning)


def token_arrays(n: int, d: int, lower: int = -1, upper: int = 2) -> st.SearchStrategy[np.ndarray]:
    """(n, d) object arrays of fractions with denominator 64, which float64 holds exactly; ties are frequent."""
    entry = st.integers(64 * lower, 64 * upper).map(lambda k: Fraction(k, 64))
    entry = st.one_of(entry, st.sampled_from([Fraction(lower), Fraction(0), Fraction(1, 2), Fraction(upper)]))
    return st.lists(entry, min_size=n * d, max_size=n * d).map(lambda v: np.array(v, dtype=object).reshape(n, d))


def permutations(n: int) -> st.SearchStrategy[list[int]]:
    return st.permutations(range(n))


_WORDS = ["x", "y", "x[0]", "y[0]", "x[1]", "n", "pi", "mean(", "sum(", "max(", "min(", "order(", "exp(", "log(", "maximum(",
          ")", "(", ",", "+", "-", "*", "/", "**", "1", "0.1", "1e5", "2e-3", " ", "[", "]", ".", "lambda", "if", "else", "for",
          "in", "not", "and", ":=", "=", "'", '"', "{", "}", "@", "~", "//", "%", "<", "import", "_", "__class__", "f'", "\n",
          "\t", "\\", "#", ";", ":", "0x1f", "1j", "None", "True", "await", "yield", "*y", "\x00"]


def fuzz() -> st.SearchStrategy[str]:
    """Arbitrary characters, and arbitrary sequences of words that look like the language."""
    words = st.lists(st.sampled_from(_WORDS), max_size=12).map("".join)
    return st.one_of(st.text(max_size=40), words, words.map(lambda w: f"mean({w})"))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a valid text with one or two characters removed, inserted or replaced."""
    text = draw(samples(depth=3)).text
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(text)))
        middle = draw(st.one_of(st.just(""), st.sampled_from(string.printable), st.sampled_from(_WORDS), st.characters()))
        text = text[:place] + middle + text[place + draw(st.integers(0, 1)):]
    return text
