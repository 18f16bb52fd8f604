"""polynomial-density: equivariant polynomials are dense; the tensor Bernstein operator gives a constant."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import sympy

from constructions.sumformers.bernstein import bernstein_degree
from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def variance(given: Given) -> Evidence:
    """sum_k (k/N - t)^2 b_k(t) = t (1 - t)/N for symbolic N: second derivative of the binomial's generating function."""
    N, t, s = sympy.symbols("N t s", positive=True)
    generating = (1 - t + t * sympy.exp(s)) ** N * sympy.exp(-N * t * s)
    second = sympy.simplify(sympy.diff(generating, s, 2).subs(s, 0)) / N**2
    return identities({"variance - t (1 - t)/N": second - given["variance"] * t * (1 - t) / N},
                      "the variance of k/N is t (1 - t)/N, symbolic N")


def mean_distance(given: Given) -> Evidence:
    """t (1 - t) <= 1/4, so E |k/N - t| <= sqrt(variance) <= 1/(2 sqrt N) by Jensen's inequality; L_j weighs coordinate j."""
    t = sympy.Symbol("t", real=True)
    quarter = sympy.Rational(given["half"]) ** 2
    return follows({"t (1 - t) <= 1/4": (quarter - t * (1 - t), [(1, (t - sympy.Rational(1, 2)) ** 2)])},
                   "||B_N f - f|| <= (b - a) sum_j L_j/(2 sqrt N)")


def large_distances(given: Given) -> Evidence:
    """P(|k/N - x| > t) <= variance/t^2, since (y/t)^2 >= 1 where |y| > t: ||B_N f - f|| <= w_f(t) + Omega n d/(4 N t^2)."""
    y, t, N, v = sympy.symbols("y t N v", positive=True)  # y: a distance above t; v: the variance, at most 1/(4 N)
    quarter = sympy.Rational(given["half"]) ** 2
    return follows({"(y/t)^2 - 1": (y**2 / t**2 - 1, [(1 / t**2, (y - t) * (y + t))]),
                    "n d coordinates": (quarter / (N * t**2) - v / t**2, [(1 / t**2, sympy.Rational(1, 4) / N - v)])},
                   "B_N f -> f for every continuous f: first t small, then N large")


def keeps_equivariance(given: Given) -> Evidence:
    """For every n, N and d: swaps generate all permutations, and a swap of tokens p, q matches the terms of B_N f one to one.

    The term of k in B_N f(X)_i is f(k/N)_i times one factor b for each token; R: the factors of the other n - 2 tokens. In
    B_N f(P X) the swapped k meets the swapped tokens, and f(P k/N)_i = f(k/N)_(P i); k -> P k only re-orders the sum.
    """
    b = sympy.Function("b")  # prod_c binom(N, k_c) x_c^(k_c) (1 - x_c)^(N - k_c), of any N and d: nothing of it is used
    k_p, k_q, x_p, x_q, R, at_p, at_q, at_other = sympy.symbols("k_p k_q x_p x_q R f_p f_q f_i")
    swap = {"p": "q", "q": "p", "other": "other"}
    values = {"p": at_p, "q": at_q, "other": at_other}  # f(k/N)_i
    swapped = {i: values[swap[i]] if given["equivariant"] else values[i] for i in swap}  # f(P k/N)_i
    term = R * b(k_p, x_p) * b(k_q, x_q)
    moved = R * b(k_q, x_q) * b(k_p, x_p)  # place p holds x_q and the index k_q
    return identities({f"output {i}": swapped[i] * moved - values[swap[i]] * term for i in swap},
                      "B_N f(P X) = P B_N f(X), term by term, for every n, N and d")


def one_variable(given: Given) -> Evidence:
    """E |k/N - t| against 1/(2 sqrt N) at rational t, exactly (both sides squared)."""
    half = Fraction(given["half"])
    cases = itertools.product(range(1, given.effort(13, 40)), range(1, 12))
    return every(cases, lambda case: _too_far(case[0], Fraction(case[1], 12), half), "{} pairs of N and t")


def _too_far(N: int, t: Fraction, half: Fraction) -> str:
    mean = sum((math.comb(N, k) * t**k * (1 - t) ** (N - k) * abs(Fraction(k, N) - t) for k in range(N + 1)), Fraction(0))
    return "" if mean**2 * N <= half**2 else f"N = {N}, t = {t}: E|k/N - t| = {float(mean)} > {half}/sqrt(N)"


def few_tokens(given: Given) -> Evidence:
    """Permuting tokens permutes grid points and weights alike: B_N f(P X) = P B_N f(X) on random tables, exactly."""
    cases = itertools.product((1, 2), itertools.permutations(range(3)))
    return every(cases, lambda case: _not_kept(*case), "{} degrees and permutations")


def _not_kept(N: int, P: tuple[int, ...]) -> str:
    X = (Fraction(1, 5), Fraction(2, 3), Fraction(6, 7))

    def g(k: tuple[int, ...], i: int) -> int:  # any equivariant table
        return 7 * k[i] ** 2 + k[i] * sum(k) + math.prod(1 + v for v in k)

    def B(tokens: tuple[Fraction, ...], i: int) -> Fraction:
        total = Fraction(0)
        for k in itertools.product(range(N + 1), repeat=3):
            weights = (math.comb(N, j) * x**j * (1 - x) ** (N - j) for j, x in zip(k, tokens, strict=True))
            total += g(k, i) * math.prod(weights)
        return total

    PX = tuple(X[p] for p in P)
    return "" if all(B(PX, i) == B(X, P[i]) for i in range(3)) else f"N = {N}, P = {P}"


def planned_degree(given: Given) -> Evidence:
    """The degree that the builder takes meets the tolerance, and one less does not."""
    cases = itertools.product(range(1, 6), range(1, 9))
    return every(cases, lambda case: _wrong_degree(*case), "{} degrees")


def _wrong_degree(slope: int, parts: int) -> str:
    eps = Fraction(1, parts)
    N = bernstein_degree([(Fraction(0), Fraction(1))] * 3, [Fraction(slope)] * 3, eps)
    fits = [Fraction(3 * slope) ** 2 <= 4 * M * eps**2 for M in (N, max(N - 1, 0))]
    return "" if fits == [True, False] or (fits[0] and N == 1) else f"L = {slope}, eps = {eps}: N = {N}"


STEP = ProofStep(
    id="polynomial-density", section=3,
    plain="Equivariant polynomials are dense in equivariant continuous functions; ||B_N f - f|| <= (b-a) sum_j L_j/(2 sqrt N).",
    latex=r"\|B_Nf-f\|\le (b-a)\sum_jL_j/(2\sqrt N)",
    source="paper, theorem 4.1 (continuous), by Bernstein in place of Stone-Weierstrass",
    hypotheses=("|f(X) - f(X')| <= sum_j L_j |x_j - x'_j| for the constant; f continuous for density",),
    depends_on=("modulus",), constants={"half": Fraction(1, 2), "variance": 1, "equivariant": True},
    checks=(Check("the variance of the Bernstein weights", Method.SYMBOLIC, variance),
            Check("the mean distance", Method.SYMBOLIC, mean_distance),
            Check("large distances are rare: density for every continuous f", Method.SYMBOLIC, large_distances),
            Check("the operator keeps equivariance", Method.SYMBOLIC, keeps_equivariance),
            Check("the mean distance at rational points", Method.EXACT, one_variable, support=True),
            Check("equivariance on tables, n = 3", Method.EXACT, few_tokens, support=True),
            Check("the degree that is built", Method.EXACT, planned_degree, support=True)),
    mutations=(Mutation("1/(2 sqrt N) becomes 1/(3 sqrt N)", {"half": Fraction(1, 3)}),
               Mutation("twice the variance", {"variance": 2}),
               Mutation("f is not equivariant", {"equivariant": False})))
