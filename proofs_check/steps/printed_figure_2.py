"""printed-figure-2: the needed d' of figure 2's target read as growing exponentially with d."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def growth(given: Given) -> Evidence:
    """Compare the claimed need with d features that are exact, d = 1..10."""
    return counterexample(range(1, 11), lambda d: _fewer(d, given["needed"](d)), "no fewer features are exact")


def _fewer(d: int, needed: int) -> tuple[str, ...]:
    target = resolve("figure-2", n=3, d=d, domain="0,1")
    assert isinstance(target, Target)
    X = np.array([[Fraction((3 * i + c) % 7, 6) for c in range(d)] for i in range(3)], dtype=object)
    sigma = X.sum(axis=0)  # phi = id: d features
    exact = bool((target.fractions(X) == X + 7 * X**2 + 3 * X * (sigma - X) ** 3).all())
    if not exact or d >= needed:
        return ()
    return (f"d = {d}: a need of {needed} is claimed, but phi(x) = x with d' = {d} features and, coordinate by coordinate,",
            "psi(x, Sigma) = x + 7 x^2 + 3 x (Sigma - x)^3 is exact, since Sigma - x is the sum of the other two")


STEP = ProofStep(
    id="printed-figure-2", section=3, corrects="figure-2-target",
    plain="The latent dimension that figure 2's target needs grows exponentially with d.",
    latex=r"d'(d)\ \text{grows exponentially}", source="paper, figure 2 and its discussion (\"presumably exponential\")",
    expected=Status.REFUTED, constants={"needed": lambda d: 2 ** (d - 1)},
    checks=(Check("fewer than 2^(d-1) features are not exact", Method.EXACT, growth),),
    mutations=(Mutation("it grows like d", {"needed": lambda d: d}),))
