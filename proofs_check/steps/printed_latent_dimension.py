"""printed-latent-dimension: binom(n+d, d) - 1 features: sufficient, not the number needed."""

from __future__ import annotations

import itertools

import sympy

from constructions.encodings.power_sums import printed_dimension, sharpened_dimension
from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

EXAMPLES = {(3, 2): (9, 5), (3, 10): (285, 65), (5, 4): (125, 69), (10, 4): (1000, 714)}


def at_least_the_sharpened(given: Given) -> Evidence:
    """binom(n+d, d) = binom(n+d-1, d) + binom(n+d-1, d-1), and the second term is positive."""
    first, second = sympy.symbols("B C", nonnegative=True)
    difference = (first + given["pascal"] * second - 1) - (first - 1)
    return follows({"printed - sharpened": (difference, [(1, second)])}, "printed >= sharpened, by Pascal's rule")


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
    checks=(Check("it is at least the sharpened number", Method.SYMBOLIC, at_least_the_sharpened),
            Check("examples", Method.EXACT, examples, support=True)),
    mutations=(Mutation("and it is the smallest", {"smallest": True}),
               Mutation("Pascal's rule with the other sign", {"pascal": -1})))
