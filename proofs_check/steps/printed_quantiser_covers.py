"""printed-quantiser-covers: half-open cubes do not cover a closed box."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def cubes_cover(given: Given) -> Evidence:
    """Look for a point of [0, 1] that lies in none of the intervals [j/N, (j+1)/N), j = 0, .., N - 1."""
    return counterexample(_points(given["closed"]), _uncovered, "each in one of the half-open intervals")


def _points(closed: bool) -> Iterator[tuple[int, Fraction]]:
    for N in range(1, 13):
        yield from ((N, Fraction(k, 2 * N)) for k in range(2 * N + closed))


def _uncovered(case: tuple[int, Fraction]) -> tuple[str, ...]:
    N, x = case
    if any(Fraction(j, N) <= x < Fraction(j + 1, N) for j in range(N)):
        return ()
    return (f"d = 1, N = {N}, x = {x}: the last interval is [{Fraction(N - 1, N)}, 1), and {x} < 1 is false",
            "no cube contains a token with a coordinate 1, so f-bar is 0 there: for f = 1 the error is 1 for every N")


STEP = ProofStep(
    id="printed-quantiser-covers", section=2, corrects="quantiser-covers",
    plain="The half-open cubes [j delta, (j+1) delta)^d cover [0, 1]^d.",
    latex=r"[0,1]^d=\bigcup_{j}\prod_c[j_c\delta,(j_c+1)\delta)",
    source="paper, proof of theorem 4.1 (discontinuous), as printed", expected=Status.REFUTED,
    constants={"closed": True},
    checks=(Check("every point of [0, 1] lies in a half-open interval", Method.EXHAUSTIVE, cubes_cover),),
    mutations=(Mutation("the upper end is left out of the domain", {"closed": False}),))
