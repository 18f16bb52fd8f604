"""theorem-transformer: Transformers with one attention layer approximate every continuous equivariant f."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from proofs_check.assembled import assembled_architecture
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def assembled_bound(given: Given) -> Evidence:
    """||f - S|| <= eps/2 and FC layers realise phi, psi to within eps/2 (error-budget); attention is exactly the mean."""
    eps, first, second, attention = sympy.symbols("eps p s a", nonnegative=True)
    share = sympy.Rational(given["share"])
    hypotheses = [(1, share * eps - first), (1, share * eps - second), (1, -attention)]  # attention adds nothing
    return follows({"eps - ||f - T||": (eps - (first + second + attention), hypotheses)}, "the shares add up to eps")


def sums_in_place_of_means(weights: dict[str, np.ndarray]) -> None:
    """Let W_V carry the factor n that belongs to sums."""
    weights["W_V"] *= 4


STEP = ProofStep(
    id="theorem-transformer", section=5,
    plain="For every continuous equivariant f on a compact box and eps > 0 there is a Transformer T, one head in one non-zero "
          "attention layer, with ||f - T|| <= eps.",
    latex=r"\forall f,\varepsilon>0\ \exists\,T:\ \|f-T\|\le\varepsilon",
    source="paper, theorem 4.3", constants={"change": None, "share": Fraction(1, 2)},
    depends_on=("theorem-sumformer", "product", "error-budget", "residual-layout", "softmax-pooling"),
    checks=(Check("the shares add up", Method.SYMBOLIC, assembled_bound),
            Check("an assembled Transformer is its Sumformer", Method.EXACT, assembled_architecture("transformer"),
                  support=True)),
    mutations=(Mutation("attention gives the sum, psi reads means", {"change": sums_in_place_of_means}),
               Mutation("S and the layers take 2/3 of eps each", {"share": Fraction(2, 3)})))
