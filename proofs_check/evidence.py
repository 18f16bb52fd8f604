"""The kinds of check, from cases or identities to evidence (see ``proof.Method`` for what each one shows)."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeVar

from proofs_check.kernel import Status
from proofs_check.proof import Evidence

T = TypeVar("T")
Objection = str | tuple[str, ...] | None  # what is wrong with a case, nothing if it holds
# Rational points at which an identity that sympy does not reduce to 0 is tried; distinct, so that no symbols coincide.
POINTS = (Fraction(1, 2), Fraction(1, 3), Fraction(2, 5), Fraction(3, 7), Fraction(5, 11), Fraction(7, 13), Fraction(11, 17))


def every(cases: Iterable[T], objection: Callable[[T], Objection], what: str) -> Evidence:
    """Hold every case against the claim; the first objection refutes it. ``{}`` in ``what`` is the number of cases."""
    count = 0
    for case in cases:
        count += 1
        found = objection(case)
        if found:
            return refuted(f"false in case {count}", found, count)
    if not count:
        return Evidence(Status.UNDECIDED, "no case was looked at", 0)
    return Evidence(Status.PROVED, what.format(f"{count:,}"), count)


def counterexample(cases: Iterable[T], objection: Callable[[T], Objection], what: str) -> Evidence:
    """Look for a counterexample among the cases: ``refuted`` with it, ``proved`` where every case holds."""
    return every(cases, objection, f"holds in all {{}} cases: {what}")


def refuted(what: str, witness: Objection, cases: int = 1) -> Evidence:
    """Return evidence against a claim."""
    lines = (witness,) if isinstance(witness, str) else tuple(witness or ())
    return Evidence(Status.REFUTED, what, cases, lines)


def identities(claims: Mapping[str, Any], what: str) -> Evidence:
    """Reduce each expression to 0 with sympy; one that stays is tried at rational points, where a value other than 0 refutes it.

    Args:
        claims: from a name to a sympy expression that is claimed to vanish identically.
        what: one line.
    """
    import sympy

    for name, expression in claims.items():
        reduced = sympy.simplify(sympy.expand(expression))
        if reduced == 0:
            continue
        symbols = sorted(reduced.free_symbols, key=str)
        values = {s: sympy.Rational(p.numerator, p.denominator) for s, p in zip(symbols, itertools.cycle(POINTS), strict=False)}
        values |= {s: sympy.Integer(k + 3) for k, s in enumerate(symbols) if s.is_integer}
        at_point = sympy.simplify(reduced.subs(values))
        if at_point.is_zero is False:
            place = " at " + ", ".join(f"{s} = {v}" for s, v in values.items()) if values else ""
            return refuted(f"{name} is not an identity", f"{name}: the difference is {at_point}{place}")
        return Evidence(Status.UNDECIDED, f"{name}: sympy leaves {reduced}", 0)
    return _all_hold(claims, what)


def decided(claims: Mapping[str, bool | None], what: str) -> Evidence:
    """Take a list of decided statements: False refutes, None is undecided."""
    for name, holds in claims.items():
        if holds is None:
            return Evidence(Status.UNDECIDED, f"undecided: {name}", len(claims))
        if not holds:
            return refuted(f"false: {name}", name, len(claims))
    return _all_hold(claims, what)


def _all_hold(claims: Mapping[str, Any], what: str) -> Evidence:
    return Evidence(Status.PROVED, what, len(claims)) if claims else Evidence(Status.UNDECIDED, "nothing was looked at", 0)


def property_based(strategy: Any, objection: Callable[[Any], Objection], *, cases: int, seed: int, what: str) -> Evidence:
    """Draw cases with hypothesis; the smallest counterexample that it shrinks to refutes, no finding is only a sample."""
    import hypothesis

    count, found = 0, list[Objection]()

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=cases, database=None, deadline=None, derandomize=False, print_blob=False,
                         phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(strategy)
    def run(case: Any) -> None:
        nonlocal count
        count += 1
        problem = objection(case)
        if problem:
            found.append(problem)
            raise _Falsified

    try:
        with _no_traces():
            run()
    except _Falsified:
        return refuted(f"false in a case drawn by hypothesis, seed {seed}", found[-1], count)
    return Evidence(Status.SAMPLED, f"{what}: {count:,} cases drawn by hypothesis, seed {seed}", count)


@contextmanager
def _no_traces() -> Iterator[None]:
    """Keep hypothesis from leaving a folder where the user happens to be."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory(prefix="uat-hypothesis-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


class _Falsified(Exception):
    """A drawn case contradicts the claim."""


def cited(reference: str) -> Evidence:
    """Record a theorem that is taken from the literature."""
    return Evidence(Status.ASSUMED, reference, 0)


def enclosed(evidence: Evidence) -> Evidence:
    """Mark evidence that rests on enclosures: what was proved by them is certified."""
    if evidence.status is not Status.PROVED:
        return evidence
    return Evidence(Status.CERTIFIED, evidence.what, evidence.cases, evidence.witness)


def sampled(evidence: Evidence) -> Evidence:
    """Mark evidence from random cases: no finding is only a sample."""
    if evidence.status is not Status.PROVED:
        return evidence
    return Evidence(Status.SAMPLED, evidence.what, evidence.cases, evidence.witness)
