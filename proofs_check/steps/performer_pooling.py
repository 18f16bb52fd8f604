"""performer-pooling: zero queries and keys make the kernel 1 for every draw of the features."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy

from constructions.pooling import NormalisedPerformerHead, PerformerHead
from constructions.pooling.head import as_fractions
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def kernel_value(query: sympy.Expr, key: sympy.Expr) -> sympy.Expr:
    """Return a(q).a(k) = (1/K) sum_j exp(w_j (q + k) - (q^2 + k^2)/2), the queries and keys having one coordinate."""
    K, j = sympy.Symbol("K", integer=True, positive=True), sympy.Symbol("j", integer=True)
    w = sympy.Function("w")
    summand = sympy.exp(w(j) * (query + key) - (query**2 + key**2) / 2)
    return sympy.Sum(summand, (j, 1, K)).doit() / K


def printed_head(given: Given) -> Evidence:
    """W_Q = W_K = 0: lambda = (1/K) sum_j exp(0) = 1 for symbolic K and w."""
    zero = sympy.Integer(given["key"])
    return identities({"lambda - 1": kernel_value(zero, zero) - 1}, "lambda = 1 for every number of features and every draw")


def normalised_head(given: Given) -> Evidence:
    """W_K = 0: the kernel of row i is the same for all tokens, so dividing by its sum over n tokens leaves 1/n, for any query."""
    q, n = sympy.Symbol("q", real=True), sympy.Symbol("n", integer=True, positive=True)
    token = sympy.Symbol("t", integer=True)
    key = token if given["keys_vary"] else sympy.Integer(given["key"])
    own, summed = kernel_value(q, key), sympy.Sum(kernel_value(q, key), (token, 1, n)).doit()
    return identities({"weight - 1/n": own / summed - 1 / n}, "every weight is 1/n, for any W_Q")


def query_alone(given: Given) -> Evidence:
    """W_Q = 0 does not suffice: with keys x the weights depend on the token."""
    weights = [sympy.exp(w - sympy.Rational(1, 2)) for w in (0, 1)], [sympy.exp(0) for _ in (0, 1)]
    first, second = (sum(part) for part in weights)
    return identities({"tokens 1 and 0 have different weights": sympy.Integer(bool(sympy.simplify(first - second) == 0))},
                      "W_Q = 0 alone: tokens 1 and 0 get weights in the ratio (1 + e)/(2 sqrt(e)), not 1")


def built_heads(given: Given) -> Evidence:
    """The heads that are built, over the rationals."""
    return every(_cases(given.effort(5, 9)), _wrong_pool, "{} heads return Sigma exactly")


def _cases(most: int) -> Iterator[tuple[int, int, bool]]:
    yield from ((n, k, normalised) for n in range(2, most + 1) for k in (1, 2, 7) for normalised in (False, True))


def _wrong_pool(case: tuple[int, int, bool]) -> str:
    n, features, normalised = case
    stream = as_fractions(np.array([[Fraction(i * i + 1, 3), 0] for i in range(n)], dtype=object))
    head = NormalisedPerformerHead(features, n) if normalised else PerformerHead(features, n)
    pooled = head.reference(stream, head.weights(2, [(0, 1)], n))[:, 1]
    return "" if all(pooled == sum(stream[:, 0])) else f"{head.name}, n = {n}, {features} features: {pooled.tolist()}"


STEP = ProofStep(
    id="performer-pooling", section=5,
    plain="With W_Q = W_K = 0 the Performer's kernel is 1 for every draw of features; normalised, W_K = 0 alone gives the mean.",
    latex=r"W_Q=W_K=0\ \Rightarrow\ a(0)\cdot a(0)=1\ \ \forall w;\qquad W_K=0\ \Rightarrow\ \text{weights }1/n",
    source="paper, proof of theorem 4.5, corrected", constants={"key": 0, "keys_vary": False},
    depends_on=("residual-layout",),
    checks=(Check("the unnormalised head has lambda = 1", Method.SYMBOLIC, printed_head),
            Check("the normalised head is the mean", Method.SYMBOLIC, normalised_head),
            Check("W_Q = 0 alone is not enough for it", Method.SYMBOLIC, query_alone, support=True),
            Check("the heads that are built pool", Method.EXACT, built_heads, support=True)),
    mutations=(Mutation("W_Q = W_K = [e_1, 0] as printed", {"key": 1}),
               Mutation("keys that differ between tokens", {"keys_vary": True})))
