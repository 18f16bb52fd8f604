"""residual-layout: stream [1 | x | phi | Sigma], each block writes new minus old."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from constructions.architectures import assemble_mean
from constructions.continuous import construct_continuous
from constructions.network.relu import MeanSumformer
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def stream_by_blocks(given: Given) -> Evidence:
    """Follow all channels of a token x through X + FC(X + Att(X)), phi and psi free functions; the readout is the work channel.

    Attention sums the channel phi over the tokens x_1 .. x_n, one of which is x.
    """
    x, sigma = sympy.symbols("x Sigma", real=True)
    t, n = sympy.Symbol("t", integer=True), sympy.Symbol("n", integer=True, positive=True)
    phi, psi, token = (sympy.Function(name) for name in ("phi", "psi", "x"))
    embed = sympy.Matrix([[1 if given["affine"] else 0, x, 0, 0, 0]])  # the bias makes the 1
    first = embed + sympy.Matrix([[0, 0, phi(x) - embed[2], 0, 0]])
    pooled = sympy.Sum(first[2].subs(x, token(t)), (t, 1, n))
    mixed = first + sympy.Matrix([[0, 0, 0, sigma, 0]])
    carried = mixed[3] if given["carries_sigma"] else 0  # the skip is X, not X + Att(X)
    second = first + sympy.Matrix([[0, 0, 0, carried, 0]])
    third = second + sympy.Matrix([[0, 0, 0, 0, psi(second[1], second[3]) - second[4]]])
    stages = {"after block 1": (first, [1, x, phi(x), 0, 0]), "after block 2": (second, [1, x, phi(x), sigma, 0]),
              "after block 3": (third, [1, x, phi(x), sigma, psi(x, sigma)])}
    claims = {f"{place}, channel {k}": row[k] - wanted[k] for place, (row, wanted) in stages.items() for k in range(5)}
    return identities({"attention is Sigma": pooled - sympy.Sum(phi(token(t)), (t, 1, n)), **claims},
                      "the stream is [1 | x | phi | Sigma | psi(x, Sigma)], for any phi, psi and n")


def assembled(given: Given) -> Evidence:
    """Whole assembled networks against their Sumformer over the rationals, all four heads."""
    target = resolve("x*mean(y) + maximum(x, mean(y))" if given.full else "x*mean(y)", n=3, d=None, domain="0,1")
    if not isinstance(target, Target):
        raise TypeError("an expression is a target of its own kind")
    built = construct_continuous(target, Fraction(1, 100), "sum-decomposition", ())
    tokens = np.array([[Fraction(0)], [Fraction(1, 3)], [Fraction(1)]], dtype=object)
    return every(ARCHITECTURES, lambda name: _different(name, built.sumformer, tokens), "{} assembled networks, exactly")


def _different(name: str, sumformer: MeanSumformer, tokens: np.ndarray) -> str:
    # n = 4: 1/4 is a float64 number, so nothing is rounded
    four = np.concatenate([tokens, [[Fraction(1, 5)]]])
    network = assemble_mean(sumformer, pooling_head(name, linformer_k=2), 4)
    gap = np.abs(network.reference(four) - sumformer(four)).max()
    return "" if gap == 0 else f"{name}: differs from its Sumformer by {gap}"


STEP = ProofStep(
    id="residual-layout", section=5,
    plain="Embed once, affinely, into the full width [1 | x | phi | Sigma | work]; let each FC write new - old, and Sigma itself "
          "after attention.",
    latex=r"[1\,|\,x\,|\,0\,|\,0]\to[1\,|\,x\,|\,\varphi\,|\,0]\to[1\,|\,x\,|\,\varphi\,|\,\Sigma]\to\psi(x,\Sigma)",
    source="paper, equations 42-47, corrected", hypotheses=("no layer norm",), constants={"carries_sigma": True, "affine": True},
    depends_on=("identity-channel",),
    checks=(Check("the stream passes the blocks", Method.SYMBOLIC, stream_by_blocks),
            Check("assembled networks equal their Sumformer", Method.EXACT, assembled, support=True)),
    mutations=(Mutation("FC does not write Sigma", {"carries_sigma": False}),
               Mutation("a linear embedding", {"affine": False})))
