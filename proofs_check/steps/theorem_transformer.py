"""theorem-transformer: Transformers with one attention layer approximate every continuous equivariant f."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from proofs_check.assembled import assembled_architecture, shares_add_up
from proofs_check.proof import Check, Method, Mutation, ProofStep


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
    checks=(Check("the shares add up", Method.SYMBOLIC, shares_add_up),
            Check("an assembled Transformer is its Sumformer", Method.EXACT, assembled_architecture("transformer"),
                  support=True)),
    mutations=(Mutation("attention gives the sum, psi reads means", {"change": sums_in_place_of_means}),
               Mutation("S and the layers take 2/3 of eps each", {"share": Fraction(2, 3)})))
