"""soft-extremum: log-mean-exp is the maximum up to log(n)/beta."""

from __future__ import annotations

import sympy
from flint import arb, ctx
from hypothesis import strategies as st

from proofs_check.evidence import enclosed, every, property_based
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def mean_of_exponentials(given: Given) -> Evidence:
    """v_k = exp(beta (u_k - max u)) lies in [0, 1] and one of them is 1: 1/n <= mean v <= 1, so 0 <= -log(mean v) <= log n."""
    n = sympy.Symbol("n", integer=True, positive=True)
    rest = sympy.Symbol("r", nonnegative=True)  # the sum of the n - 1 other v_k, between 0 and n - 1
    mean = (1 + rest) / n
    return follows({"mean v >= 1/n": (mean - 1 / (n - given["less"]), [(1 / n, rest)]),
                    "mean v <= 1": (1 - mean, [(1 / n, n - 1 - rest)])},
                   "0 <= max u - (1/beta) log mean exp(beta u) <= log(n)/beta")


def in_balls(given: Given) -> Evidence:
    """Random sequences and beta, enclosed by balls."""
    numbers = st.integers(-64, 64)
    cases = st.tuples(st.integers(1, 40), st.lists(numbers, min_size=1, max_size=6))
    return property_based(cases, lambda case: _outside(case, given["less"]), cases=given.effort(300, 3000), seed=given.seed,
                          what="0 <= r <= log(n)/beta")


def attained(given: Given) -> Evidence:
    """Equal values have r = 0; one large value has r as close to log(n)/beta as one likes."""
    return enclosed(every(range(2, 9), lambda n: _not_near_the_end(n, given["less"]), "{} lengths: r within 1e-9 of log(n)/beta"))


def _not_near_the_end(n: int, less: int) -> str:
    with ctx.workprec(256):
        gap = _most(40, n, less) - _remainder(40, [0] + [-64] * (n - 1))
        return "" if abs(gap) < arb("1e-9") else f"n = {n}: log({n - less})/beta - r = {gap.str(8)}"


def _remainder(beta: int, values: list[int]) -> arb:
    mean = sum(((beta * arb(v) / 16).exp() for v in values), arb(0)) / len(values)
    return arb(max(values)) / 16 - mean.log() / beta


def _most(beta: int, n: int, less: int) -> arb:
    return arb(max(n - less, 1)).log() / beta


def _outside(case: tuple[int, list[int]], less: int) -> str:
    beta, values = case
    with ctx.workprec(256):
        r, most, slack = _remainder(beta, values), _most(beta, len(values), less), arb(2) ** -200
        if r < -slack or r > most + slack:
            return f"beta = {beta}, u = {values}/16: r = {r.str(8)}, claimed at most {most.str(8)}"
    return ""


STEP = ProofStep(
    id="soft-extremum", section=4,
    plain="max_k u_k = (1/beta) log mean_k exp(beta u_k) + r with 0 <= r <= log(n)/beta.",
    latex=r"\max_ku_k=\tfrac1\beta\log\tfrac1n\sum_ke^{\beta u_k}+r,\qquad 0\le r\le\tfrac{\log n}\beta", source="folklore",
    hypotheses=("beta > 0",), constants={"less": 0},
    depends_on=("sum-decomposition",),
    checks=(Check("the mean of exponentials", Method.SYMBOLIC, mean_of_exponentials),
            Check("random sequences in balls", Method.PROPERTY, in_balls, support=True),
            Check("sequences near the upper end", Method.ENCLOSURE, attained, support=True)),
    mutations=(Mutation("log(n) becomes log(n - 1)", {"less": 1}),))
