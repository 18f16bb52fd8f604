"""printed-linformer-projections: random E, F, as in Linformer's own definition, are not equivariant."""

from __future__ import annotations

import itertools
from fractions import Fraction

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

# Entries -1, 0, 1 of sparse random projections (Achlioptas 2003), F of one row; with equal scores the head is F X in every row.
ROWS = tuple(itertools.product((-1, 0, 1), repeat=2))


def head_is_equivariant(given: Given) -> Evidence:
    """Compare head(P X) with P head(X) for the swap P of two tokens and every such F."""
    rows = [F for F in ROWS if not given["equal_columns"] or F[0] == F[1]]
    return counterexample(rows, _not_equivariant, "swapping the tokens swaps the rows of the head")


def _not_equivariant(F: tuple[int, ...]) -> tuple[str, ...]:
    X = (Fraction(1), Fraction(2))
    before, after = (sum(f * x for f, x in zip(F, tokens, strict=True)) for tokens in (X, X[::-1]))
    if before == after:
        return ()
    return (f"n = 2, k = 1, F = {list(F)}, W_V = 1, any E: on X = (1, 2) both rows of the head are {before}",
            f"on the swapped X = (2, 1) both rows are {after}; equivariance asks for {before} in both",
            "a continuous distribution has F_1 != F_2 with probability 1")


STEP = ProofStep(
    id="printed-linformer-projections", section=5, corrects="linformer-pooling",
    plain="A Linformer with random projections E, F is permutation-equivariant.",
    latex=r"\mathrm{head}(PX)=P\,\mathrm{head}(X)\ \text{for random } E,F\in\mathbb R^{k\times n}",
    source="paper, definition of the Linformer, and section 4.4 as printed", expected=Status.REFUTED,
    constants={"equal_columns": False},
    checks=(Check("the head commutes with a swap of two tokens", Method.EXHAUSTIVE, head_is_equivariant),),
    mutations=(Mutation("all columns of F are equal", {"equal_columns": True}),))
