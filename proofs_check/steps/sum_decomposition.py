"""sum-decomposition: a function of the own token and of means is a Sumformer, with d' independent of n."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from constructions.continuous import construct_continuous
from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.evidence import every, identities, sampled
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

TEXTS = ("x*mean(y)", "mean((y-mean(y))**2)", "(x-mean(y))/sqrt(mean((y-mean(y))**2)+0.5)", "abs(x-mean(y))")


def substitution(given: Given) -> Evidence:
    """phi = rho, psi = h: h(x, Sigma/n) with Sigma = sum_k rho(x_k), for symbolic n, h and rho."""
    n, k = sympy.Symbol("n", integer=True, positive=True), sympy.Symbol("k", integer=True)
    x, (h, rho, token) = sympy.Symbol("x"), (sympy.Function(name) for name in ("h", "rho", "x"))
    sigma = sympy.Sum(rho(token(k)), (k, 1, n))
    return identities({"S - f": h(x, sigma / given["divisor"](n)) - h(x, sympy.Sum(rho(token(k)), (k, 1, n)) / n)},
                      "psi(x, Sigma) = h(x, Sigma/n) is f, for every n")


def independent_of_n(given: Given) -> Evidence:
    """The builder's networks for these targets hold for every n, and their sizes do not depend on it."""
    return every(TEXTS[: given.effort(2, 4)], _depends_on_n, "{} targets: one network for n = 3 and n = 40")


def _depends_on_n(text: str) -> str:
    built = [construct_continuous(_target(text, n), Fraction(1, 100), "sum-decomposition", ()) for n in (3, 40)]
    sizes = [(b.sumformer.n_nonzero, b.sumformer.d_latent, b.every_n) for b in built]
    return "" if sizes[0] == sizes[1] and sizes[0][2] else f"{text}: {sizes}"


def evaluated(given: Given) -> Evidence:
    """The network for every n against the target on random sequences of 3, 10 and 40 tokens."""
    cases = [(text, n) for text in TEXTS[: given.effort(2, 4)] for n in (3, 10, 40)]
    return sampled(every(cases, lambda case: _too_far(*case, given.seed), "{} pairs of target and length, 500 sequences each"))


def _too_far(text: str, n: int, seed: int) -> str:
    target = _target(text, n)
    sumformer = construct_continuous(_target(text, 3), Fraction(1, 100), "sum-decomposition", ()).sumformer
    tokens = np.random.default_rng(seed).random((500, n, 1))
    gap = float(np.abs(sumformer(tokens) - target.numpy(tokens)).max())
    return "" if gap <= 0.01 else f"{text}, n = {n}: an error of {gap} occurs"


def _target(text: str, n: int) -> Target:
    return Target.from_text(text, n=n, box=Box.parse("0,1", 1))


STEP = ProofStep(
    id="sum-decomposition", section=4,
    plain="If f(X)_i = h(x_i, mean_k rho(x_k)) then phi = rho, psi = h is exact; d' and the certificate do not depend on n.",
    latex=r"f(X)_i=h\bigl(x_i,\tfrac1n\sum_k\rho(x_k)\bigr)\Rightarrow \varphi=\rho,\ \psi(x,\Sigma)=h(x,\Sigma/n)",
    source="ours", hypotheses=("h and rho do not depend on n",), constants={"divisor": lambda n: n},
    checks=(Check("substitution", Method.SYMBOLIC, substitution),
            Check("built networks do not depend on n", Method.EXACT, independent_of_n, support=True),
            Check("they are within the tolerance for several n", Method.SAMPLED, evaluated, support=True)),
    mutations=(Mutation("the sum in place of the mean", {"divisor": lambda n: sympy.Integer(1)}),))
