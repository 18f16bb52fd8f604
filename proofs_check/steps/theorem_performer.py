"""theorem-performer: Performers with one attention layer approximate every continuous equivariant f."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from proofs_check.assembled import assembled_architecture, shares_add_up
from proofs_check.proof import Check, Method, Mutation, ProofStep


def printed_queries(weights: dict[str, np.ndarray]) -> None:
    """Put the printed W_Q = W_K = [e_1, 0] in place of 0."""
    weights["W_Q"][0] = weights["W_K"][0] = 1


STEP = ProofStep(
    id="theorem-performer", section=5,
    plain="For every continuous equivariant f on a compact box and eps > 0 there is a Performer T, one head in one non-zero "
          "attention layer, with ||f - T|| <= eps.",
    latex=r"\forall f,\varepsilon>0\ \exists\,T:\ \|f-T\|\le\varepsilon",
    source="paper, theorem 4.5", constants={"change": None, "share": Fraction(1, 2)},
    depends_on=("theorem-transformer", "performer-pooling"),
    checks=(Check("the shares add up", Method.SYMBOLIC, shares_add_up),
            Check("an assembled Performer is its Sumformer", Method.EXACT, assembled_architecture("performer"),
                  support=True)),
    mutations=(Mutation("W_Q = W_K = [e_1, 0] as printed", {"change": printed_queries}),
               Mutation("S and the layers take 2/3 of eps each", {"share": Fraction(2, 3)})))
