"""Linear inequalities with their certificates: a conclusion written as a non-negative combination of hypotheses (Farkas).

sympy checks the identity; that the multipliers are non-negative is read off, so nothing is searched for. What the hypotheses say
is the step's matter. A combination that fails does not make the conclusion false: only a point where the hypotheses hold and it
does not refutes it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from proofs_check.evidence import identities, refuted
from proofs_check.kernel import Status
from proofs_check.proof import Evidence

Combination = Sequence[tuple[Any, Any]]  # (multiplier >= 0, hypothesis that is >= 0)
DRAWS = 60  # points at which a counterexample is looked for


def follows(claims: Mapping[str, tuple[Any, Combination]], what: str) -> Evidence:
    """Check that each conclusion ``c >= 0`` is the given sum of multiplier times hypothesis, all multipliers >= 0.

    Args:
        claims: name -> (c, [(multiplier, hypothesis), ..]); a multiplier is a number or a symbol declared non-negative. An empty
            list claims c = 0.
        what: one line.
    """
    for name, (conclusion, combination) in claims.items():
        unknown = [m for m, _ in combination if sympy.sympify(m).is_nonnegative is not True]
        found = identities({name: conclusion - sum(m * h for m, h in combination)}, "")
        if found.status is Status.PROVED and not unknown:
            continue
        if not combination:
            return found
        point = _counterexample(conclusion, [hypothesis for _, hypothesis in combination])
        if point is not None:
            place = ", ".join(f"{s} = {v}" for s, v in point.items())
            return refuted(f"{name} does not follow", f"{name}: it is {sympy.sympify(conclusion).subs(point)}"
                           + (f" at {place}, where the hypotheses hold" if place else ""))
        why = f"it is not known that {unknown[0]} >= 0" if unknown else "it is not this combination of the hypotheses"
        return Evidence(Status.UNDECIDED, f"{name}: {why}", 0)
    return Evidence(Status.PROVED, what, len(claims)) if claims else Evidence(Status.UNDECIDED, "nothing was looked at", 0)


def _counterexample(conclusion: Any, hypotheses: Sequence[Any]) -> dict[Any, Any] | None:
    """Look for a point that the symbols' declarations allow, where all hypotheses are >= 0 and the conclusion is below 0."""
    symbols = sorted(set[Any]().union(*(sympy.sympify(e).free_symbols for e in (conclusion, *hypotheses))), key=str)
    for point in _points(symbols):
        values = [sympy.sympify(e).subs(point) for e in (conclusion, *hypotheses)]
        if values[0].is_negative and all(value.is_nonnegative for value in values[1:]):
            return point
    return None


def _points(symbols: Sequence[Any]) -> Iterator[dict[Any, Any]]:
    draw = random.Random(0)
    for _ in range(DRAWS):
        point = {}
        for s in symbols:
            value = Fraction(draw.randint(-9, 9), 1 if s.is_integer else draw.choice((1, 2, 3)))
            value = abs(value) if s.is_nonnegative else value
            point[s] = sympy.Rational(value.numerator, value.denominator) if value or not s.is_positive else sympy.Integer(1)
        yield point
