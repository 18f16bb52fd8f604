"""printed-latent-dimension: binom(n+d, d) - 1 features: sufficient, not the number needed."""

from __future__ import annotations

import itertools

import sympy

from constructions.encodings.power_sums import printed_dimension, sharpened_dimension
from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.steps.latent_dimension import in_gammas

EXAMPLES = {(3, 2): (9, 5), (3, 10): (285, 65), (5, 4): (125, 69), (10, 4): (1000, 714)}


def more_than_the_sharpened(given: Given) -> Evidence:
    """binom(n+d, d) = binom(n+d-1, d) + binom(n+d-1, d-1), and the second term is at least 1."""
    n, d = sympy.symbols("n d", integer=True, positive=True)
    printed, fewer, second = sympy.binomial(n + d, d), sympy.binomial(n - 1 + d, d), sympy.binomial(n - 1 + d, d - 1)
    pascal = identities({"Pascal's rule": in_gammas(printed - fewer - given["pascal"] * second)}, "")
    if pascal.status is not Status.PROVED:
        return pascal
    C = sympy.Symbol("C", integer=True, positive=True)  # the second term
    more = -C if given["smallest"] else C - 1  # the smallest number would be at most the sharpened one
    return follows({"printed - sharpened": (more, [(1, C - 1)])}, "printed > sharpened, by Pascal's rule, for every n and d")


def examples(given: Given) -> Evidence:
    """The examples, and how the two numbers compare."""
    cases = itertools.product(range(2, 11), range(1, 11))
    shown = "; ".join(f"(n, d) = {case}: {printed} printed, {fewer} suffice" for case, (printed, fewer) in EXAMPLES.items())
    return every(cases, lambda case: _wrong(*case, given["smallest"]), shown)


def _wrong(n: int, d: int, smallest: bool) -> str:
    printed, fewer = printed_dimension(n, d), sharpened_dimension(n, d)
    if EXAMPLES.get((n, d), (printed, fewer)) != (printed, fewer):
        return f"n = {n}, d = {d}: {printed}/{fewer}, expected {EXAMPLES[n, d]}"
    if smallest and fewer < printed:
        return f"n = {n}, d = {d}: {printed} is not the smallest, {fewer} suffice"
    return "" if printed >= fewer else f"n = {n}, d = {d}: {printed} is fewer than {fewer}"


STEP = ProofStep(
    id="printed-latent-dimension", section=3, corrects="latent-dimension",
    plain="d' = binom(n+d, d) - 1 suffices: true, but more than needed.",
    latex=r"d'=\binom{n+d}{d}-1", source="paper, theorem 4.1 (continuous), as printed", depends_on=("latent-dimension",),
    constants={"smallest": False, "pascal": 1},
    checks=(Check("it is more than the sharpened number", Method.SYMBOLIC, more_than_the_sharpened),
            Check("examples", Method.EXACT, examples, support=True)),
    mutations=(Mutation("and it is the smallest", {"smallest": True}),
               Mutation("Pascal's rule with the other sign", {"pascal": -1})))
