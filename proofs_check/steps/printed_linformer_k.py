"""printed-linformer-k: k = O(d/eps^2) suffices: true, but k = 1 does."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from constructions.pooling import LinformerHead
from constructions.pooling.head import as_fractions
from proofs_check.evidence import every
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.steps.linformer_pooling import slots_hold_sigma


def every_k(given: Given) -> Evidence:
    """The head is Sigma for k = 1 and for larger k alike; ``needed`` claims that a k below d/eps^2 is not enough."""
    cases = [(n, k) for n in (2, 3, 5) for k in (1, 2, 7, 40)]
    return every(cases, lambda case: _objection(*case, given["needed"]), "{} heads: k = 1 pools as well as k = 40")


def _objection(n: int, k: int, needed: bool) -> str:
    stream = as_fractions(np.array([[Fraction(i * i + 1, 3), 0] for i in range(n)], dtype=object))
    head = LinformerHead(k)
    pooled = head.reference(stream, head.weights(2, [(0, 1)], n))[:, 1]
    exact = bool((pooled == sum(stream[:, 0])).all())
    if needed and exact and k < 40:  # d/eps^2 with d = 1, eps = 1/6 is 36
        return f"n = {n}, k = {k}: the head is Sigma exactly"
    return "" if exact else f"n = {n}, k = {k}: the head is not Sigma"


STEP = ProofStep(
    id="printed-linformer-k", section=5, corrects="linformer-pooling",
    plain="The projection dimension k = O(d/eps^2) suffices: true, but k = 1 does for every eps.",
    latex=r"k=O(d/\varepsilon^2)", source="paper, theorem 4.4, after Linformer's own analysis", depends_on=("linformer-pooling",),
    constants={"needed": False, "entry": lambda n, k: 1 / n},
    checks=(Check("the head pools for every k", Method.SYMBOLIC, slots_hold_sigma),
            Check("heads that are built, k = 1 to 40", Method.EXACT, every_k, support=True)),
    mutations=(Mutation("and a smaller k does not", {"needed": True}),
               Mutation("with F = (1/k) 1", {"entry": lambda n, k: 1 / k})))
