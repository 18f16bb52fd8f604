"""softmax-pooling: equal scores make attention the mean; the block n I makes it Sigma."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from constructions.pooling import SoftmaxHead
from constructions.pooling.head import as_fractions
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def equal_scores(given: Given) -> Evidence:
    """Any common score s: exp(s)/sum_k exp(s) = 1/n; the printed [e_1, 0] has s = 1/sqrt(d_head), zero matrices have s = 0."""
    n, t = sympy.Symbol("n", integer=True, positive=True), sympy.Symbol("t", integer=True)
    s, sigma = sympy.symbols("s Sigma", real=True)
    weight = sympy.exp(s) / sympy.Sum(sympy.exp(s), (t, 1, n)).doit()
    factor = given["factor"](n)
    return identities({"weight - 1/n": weight - 1 / n, "head - Sigma": weight * factor * sigma - sigma},
                      "every weight is 1/n and the head is Sigma, for symbolic n and score")


def built_head(given: Given) -> Evidence:
    """The head that is built, over the rationals."""
    return every(range(2, given.effort(8, 24)), _wrong_pool, "{} heads return Sigma exactly")


def _wrong_pool(n: int) -> str:
    stream = as_fractions(np.array([[Fraction(i * i + 1, 3), 0] for i in range(n)], dtype=object))
    head = SoftmaxHead()
    pooled = head.reference(stream, head.weights(2, [(0, 1)], n))[:, 1]
    return "" if all(pooled == sum(stream[:, 0])) else f"n = {n}: {pooled.tolist()}"


STEP = ProofStep(
    id="softmax-pooling", section=5,
    plain="With W_Q = W_K = [e_1, 0] (as printed) or 0, attention weights are 1/n; W_V with the block n I gives Sigma.",
    latex=r"\mathrm{softmax}(c\,\mathbf 1\mathbf 1^\top)\,X\,(nI)=\mathbf 1\,\Sigma^\top",
    source="paper, proof of theorem 4.3, equations 42-47", constants={"factor": lambda n: n},
    depends_on=("residual-layout",),
    checks=(Check("equal scores pool", Method.SYMBOLIC, equal_scores),
            Check("the heads that are built pool", Method.EXACT, built_head, support=True)),
    mutations=(Mutation("the block n I becomes (n - 1) I", {"factor": lambda n: n - 1}),))
