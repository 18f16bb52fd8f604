"""theorem-linformer: Linformers with one attention layer approximate every continuous equivariant f."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from proofs_check.assembled import assembled_architecture, shares_add_up
from proofs_check.proof import Check, Method, Mutation, ProofStep


def printed_projection(weights: dict[str, np.ndarray]) -> None:
    """Put the printed F = (1/k) 1 in place of (1/n) 1, k = 2, n = 4."""
    weights["F"][:] = 1 / len(weights["F"])


STEP = ProofStep(
    id="theorem-linformer", section=5,
    plain="For every continuous equivariant f on a compact box and eps > 0 there is a Linformer T, one head in one non-zero "
          "attention layer, with ||f - T|| <= eps.",
    latex=r"\forall f,\varepsilon>0\ \exists\,T:\ \|f-T\|\le\varepsilon",
    source="paper, theorem 4.4", constants={"change": None, "share": Fraction(1, 2)},
    depends_on=("theorem-transformer", "linformer-pooling"),
    checks=(Check("the shares add up", Method.SYMBOLIC, shares_add_up),
            Check("an assembled Linformer is its Sumformer", Method.EXACT, assembled_architecture("linformer"),
                  support=True)),
    mutations=(Mutation("F = (1/k) 1 as printed", {"change": printed_projection}),
               Mutation("S and the layers take 2/3 of eps each", {"share": Fraction(2, 3)})))
