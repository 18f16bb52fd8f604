"""linformer-pooling: with F = (1/n) 1 and the factor n in W_V the head is Sigma, for any E, W_Q, W_K and any k."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy

from constructions.pooling import LinformerHead
from constructions.pooling.head import as_fractions
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def slots_hold_sigma(given: Given) -> Evidence:
    """All k slots of F X W_V are equal, so any attention weights that add up to 1 leave the same value."""
    n, k = sympy.symbols("n k", integer=True, positive=True)
    t, s = sympy.symbols("t s", integer=True)
    x, a = sympy.Function("x"), sympy.Function("a")
    entry = given["entry"](n, k)
    sigma = sympy.Sum(x(t), (t, 1, n))
    slot = entry * n * sigma  # the same for every row of F
    weights = sympy.Sum(a(s), (s, 1, k))  # softmax over slots, for whatever scores: adds up to 1
    head = (slot * weights).subs(weights, 1)
    return identities({"head - Sigma": head.subs(sigma, sympy.Symbol("Sigma")) - sympy.Symbol("Sigma")},
                      "sum over slots of a_s (F X W_V)_s = Sigma for symbolic n, k, E, W_Q, W_K")


def built_head(given: Given) -> Evidence:
    """The head that is built, over the rationals."""
    return every(_cases(given.effort(5, 9)), _wrong_pool, "{} heads return Sigma exactly, n <= 5 or more, k <= n + 1")


def _cases(most: int) -> Iterator[tuple[int, int]]:
    yield from ((n, k) for n in range(2, most + 1) for k in range(1, n + 2))


def _wrong_pool(case: tuple[int, int]) -> str:
    n, k = case
    stream = as_fractions(np.array([[Fraction(i * i + 1, 3), 0] for i in range(n)], dtype=object))
    head = LinformerHead(k)
    pooled = head.reference(stream, head.weights(2, [(0, 1)], n))
    sigma = sum(stream[:, 0])
    wrong = next((i for i, j in itertools.product(range(n), (1,)) if pooled[i, j] != sigma), None)
    return "" if wrong is None else f"n = {n}, k = {k}: row {wrong} is {pooled[wrong, 1]}, Sigma is {sigma}"


STEP = ProofStep(
    id="linformer-pooling", section=5,
    plain="With F = (1/n) 1 and the block n I in W_V the Linformer head is Sigma for any E, W_Q, W_K and k, also k = 1.",
    latex=r"F=\tfrac1n\mathbf 1\mathbf 1^\top\ \Rightarrow\ \mathrm{softmax}(\cdot)\,F X W_V=\mathbf 1\,\Sigma^\top",
    source="paper, proof of theorem 4.4, corrected", hypotheses=("n, k >= 1",),
    constants={"entry": lambda n, k: 1 / n},
    depends_on=("residual-layout",),
    checks=(Check("the head is Sigma", Method.SYMBOLIC, slots_hold_sigma),
            Check("the heads that are built are", Method.EXACT, built_head, support=True)),
    mutations=(Mutation("F = (1/k) 1 as printed", {"entry": lambda n, k: 1 / k}),))
