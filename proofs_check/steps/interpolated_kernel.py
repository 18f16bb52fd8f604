"""interpolated-kernel: a kernel linear in u between cuts, two hinges in the place of each product; every n, any continuous K.

With a weight w of the token two hinges of v and w stand for each product of these as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

import sympy
from flint import fmpq

from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.structure.squares import rational

T = TypeVar("T")


def two_hinges(given: Given) -> Evidence:
    """F = relu(p + q - 1) + p - relu(p - q) = max(0, p + q - 1) + min(p, q), against 2 p q; p <= q, as both are symmetric.

    F - 2 p q is p (1 - 2 q) for p + q <= 1 and (1 - q)(1 - 2 (1 - p)) otherwise: the same with 1 - q, 1 - p for p, q.
    """
    p, q = sympy.symbols("p q", nonnegative=True)
    share = sympy.Rational(given["share"])
    low, high = p - 2 * p * q, (p + (p + q - 1)) - 2 * p * q
    a, b = 1 - q, 1 - p
    square = 2 * (p - sympy.Rational(1, 4)) ** 2
    return follows({"p + q <= 1, from above": (share - low, [(2 * p, q - p), (1, square)]),
                    "p + q <= 1, from below": (share + low, [(2 * p, 1 - p - q), (1, square)]),
                    "p + q >= 1 is the same function": (high - (a - 2 * a * b), [])},
                   f"|relu(p + q - 1) + p - relu(p - q) - 2 p q| <= {share}")


def attained(given: Given) -> Evidence:
    """p = q = 1/4 and p = 3/4, q = 1/4."""
    p, share = sympy.Rational(1, 4), sympy.Rational(given["share"])
    return identities({"p = q = 1/4": p - 2 * p * p - share, "p = 3/4, q = 1/4": (p - 2 * p * (1 - p)) + share},
                      "both ends are attained")


def at_the_ends(given: Given) -> Evidence:
    """q = 0 and q = 1, 0 <= p <= W, W in the place of 1: the hinges are 0 and p, p and 0."""
    p, W = sympy.symbols("p W", nonnegative=True)
    return follows({"q = 0: relu(p - W) = 0": (given["width"] * W - p, [(1, W - p)]),
                    "q = 0: half of (p - relu(p)) is 0": ((p - p) / 2, []),
                    "q = 1: half of (relu(p) + p) is p": ((p + p) / 2 - p, [])}, "beyond its cell a term is 0 or D_k")


def telescopes(given: Given) -> Evidence:
    """In cell k: mu_0 + sum_{j<k} D_j + q D_k = (1 - q) mu_k + q mu_{k+1}, with L q + p q = q D_k; the next step of k too."""
    q, L = sympy.symbols("q L", positive=True)
    now, then = sympy.symbols("mu_k mu_{k+1}", real=True)
    D = then - now
    return identities({"linear part and product": L * q + (D - L) * q - q * D,
                       "between two cuts": now + given["step"] * q * D - ((1 - q) * now + q * then),
                       "the next cut": (now + D) - then}, "linear in u between mu_k and mu_{k+1}")


def between_cuts(given: Given) -> Evidence:
    """K with the constant Lambda in u: the line between two values is off by at most 2 q (1 - q) Lambda h <= Lambda h/2."""
    q, h, slope = sympy.symbols("q h Lambda", nonnegative=True)
    a, b, at = sympy.symbols("K_0 K_1 K", real=True)
    rate = sympy.Rational(given["rate"])
    r = sympy.Symbol("r", nonnegative=True)  # 1 - q
    line = 2 * q * r * slope * h - (r * a + q * b - (r + q) * at)
    return follows({"the line is above by": (line, [(r, slope * q * h - (a - at)), (q, slope * r * h - (b - at))]),
                    "2 q (1 - q) <= 1/2": (rate - 2 * q * (1 - q), [(2, (q - sympy.Rational(1, 2)) ** 2)])},
                   "straight lines in u are off by at most Lambda h/2")


def with_a_weight(given: Given) -> Evidence:
    """w_0 r + (w_1 - w_0)/2 F, F = relu(r + s - 1) + s - relu(s - r), for r w, w = w_0 + (w_1 - w_0) s; |F - 2 r s| <= 1/8."""
    r, s, F = sympy.symbols("r s F", nonnegative=True)
    low, wide = sympy.Symbol("w_0", real=True), sympy.Symbol("w_1 - w_0", positive=True)
    share = sympy.Rational(given["share"])
    off = low * r + wide / 2 * F - r * (low + wide * s)
    return follows({"from above": (wide / 16 - off, [(wide / 2, share - (F - 2 * r * s))]),
                    "from below": (wide / 16 + off, [(wide / 2, share + (F - 2 * r * s))])}, "off by at most (w_1 - w_0)/16")


def at_the_knots(given: Given) -> Evidence:
    """relu(s - 1) = 0: for r = 0 the hinges are 0 + s - s, for r = 1 they are s + s - 0."""
    low, wide, s = sympy.symbols("w_0 w s", real=True)
    at_zero, at_one = given["rest"] * s - s, s + given["rest"] * s
    return identities({"r = 0": wide / 2 * at_zero, "r = 1": low + wide / 2 * at_one - (low + wide * s)},
                      "a piece begins with 0 and ends with w")


ZERO, ONE = fmpq(0), fmpq(1)
KERNELS: dict[str, Callable[[fmpq, fmpq], fmpq]] = {
    "|u - y|": lambda u, y: abs(u - y), "max(u, y^2)": lambda u, y: max(u, y * y), "u y |u - y|": lambda u, y: u * y * abs(u - y),
    "1/(1 + |u - y|)": lambda u, y: 1 / (1 + abs(u - y))}


def networks(given: Given) -> Evidence:
    """The formula itself on rational sequences: e and W read off a lattice that the tokens are taken from."""
    cases = itertools.product(KERNELS, (2, 3), (1, 2, 3, 5))
    return every(cases, lambda case: _network_off(*case, given), "{} kernels, cuts and lengths: within e + W/16 everywhere")


def _network_off(name: str, m: int, n: int, given: Given) -> str:
    K, cuts, lattice = KERNELS[name], [fmpq(k, m) for k in range(m + 1)], [fmpq(k, 4 * m) for k in range(4 * m + 1)]
    beta = [{y: K(c, y) for y in lattice} for c in cuts]
    e = max(abs(_between([row[y] for row in beta], cuts, u) - K(u, y)) for u in lattice for y in lattice)
    found = _exceeded(cuts, beta, _sequences(lattice, n), lattice, K, e, given)
    return f"{name}, cuts {', '.join(map(str, cuts))}, {found}" if found else ""


def _exceeded(cuts: Sequence[fmpq], beta: Sequence[Mapping[T, fmpq]], sequences: Iterable[tuple[T, ...]],
              points: Sequence[fmpq], wanted: Callable[[fmpq, T], fmpq], e: fmpq, given: Given) -> str:
    """Hold the formula against the mean of ``wanted`` over each sequence: beta_k by token, lines between them off by e."""
    rises = [[after[token] - before[token] for token in before] for before, after in itertools.pairwise(beta)]
    low, width = [min(rise) for rise in rises], [(max(rise) - min(rise)) * rational(Fraction(given["width"])) for rise in rises]
    bound = e + max(width) * rational(Fraction(given["share"])) / 2
    for tokens in sequences:
        mu = [sum((row[token] for token in tokens), ZERO) / len(tokens) for row in beta]
        for u in points:
            gap = abs(_formula(u, mu, cuts, low, width) - sum((wanted(u, token) for token in tokens), ZERO) / len(tokens))
            if gap > bound:
                return f"u = {u}, tokens {', '.join(map(str, tokens))}: {gap} > {bound}"
    return ""


def weighted_networks(given: Given) -> Evidence:
    """The same with weights: tokens (y, w) with beta_k between knots, and what stands for w beta_k in its place."""
    cases = itertools.product(KERNELS, (1, 2), (1, 2))
    return every(cases, lambda case: _weighted_off(*case, given), "{} kernels, cuts and lengths: within the bound everywhere")


WEIGHTS = (fmpq(-1, 2), fmpq(1, 4), ONE)


def _weighted_off(name: str, m: int, n: int, given: Given) -> str:
    K, cuts, knots = KERNELS[name], [fmpq(k, m) for k in range(m + 1)], [fmpq(j, 2 * m) for j in range(2 * m + 1)]
    lattice, wide = [fmpq(k, 8 * m) for k in range(8 * m + 1)], max(WEIGHTS) - min(WEIGHTS)
    values = [[K(c, t) for t in knots] for c in cuts]
    tokens = list(itertools.product(lattice, WEIGHTS))
    stands = [{token: _stands(row, knots, *token, given) for token in tokens} for row in values]
    lines = {y: [_between(row, knots, y) for row in values] for y in lattice}
    e = max(abs(_between(lines[y], cuts, u) - K(u, y)) for u in lattice for y in lattice)
    steps = max(abs(b - a) for row in values for a, b in itertools.pairwise(row))
    off = max(map(abs, WEIGHTS)) * e + wide * steps * rational(Fraction(given["share"])) / 2
    chosen = itertools.combinations_with_replacement(tokens[::n], n)
    found = _exceeded(cuts, stands, chosen, lattice[::n], lambda u, token: token[1] * K(u, token[0]), off, given)
    return f"{name}, {m} cells, {found}" if found else ""


def _stands(row: Sequence[fmpq], knots: Sequence[fmpq], y: fmpq, w: fmpq, given: Given) -> fmpq:
    """Return beta(t_0) w and, for each piece, the rise of beta times what stands for r w."""
    low, wide = min(WEIGHTS), max(WEIGHTS) - min(WEIGHTS)
    s, total = (w - low) / wide, row[0] * w
    for (a, b), (start, end) in zip(itertools.pairwise(knots), itertools.pairwise(row), strict=True):
        r = min(max((y - a) / (b - a), ZERO), ONE)
        hinges = max(r + s - 1, ZERO) + rational(Fraction(given["rest"])) * s - max(s - r, ZERO)
        total += (end - start) * (low * r + wide / 2 * hinges)
    return total


def _between(row: Sequence[fmpq], knots: Sequence[fmpq], y: fmpq) -> fmpq:
    k, q = _cell(knots, y)
    return (1 - q) * row[k] + q * row[k + 1]


def _cell(cuts: Sequence[fmpq], u: fmpq) -> tuple[int, fmpq]:
    k = min(int(u * (len(cuts) - 1)), len(cuts) - 2)
    return k, (u - cuts[k]) / (cuts[k + 1] - cuts[k])


def _sequences(lattice: Sequence[fmpq], n: int) -> Iterator[tuple[fmpq, ...]]:
    if n <= 2:
        yield from itertools.product(lattice, repeat=n)
        return
    for one, other in itertools.combinations(lattice[::2], 2):  # two values in every proportion
        for k in range(n + 1):
            yield (one,) * k + (other,) * (n - k)


def _formula(u: fmpq, mu: Sequence[fmpq], cuts: Sequence[fmpq], low: Sequence[fmpq], width: Sequence[fmpq]
             ) -> fmpq:
    total = mu[0]
    for k, (L, W) in enumerate(zip(low, width, strict=True)):
        q = min(max((u - cuts[k]) / (cuts[k + 1] - cuts[k]), ZERO), ONE)
        p = mu[k + 1] - mu[k] - L
        total += L * q + (max(p + W * q - W, ZERO) + p - max(p - W * q, ZERO)) / 2
    return total


STEP = ProofStep(
    id="interpolated-kernel", section=4,
    plain="beta_k near K(c_k, .), D_k = beta_{k+1} - beta_k in [L_k, L_k + W_k], lines between them within e of K: one hidden "
          "layer of u and the means of beta_k, two units a cell, is within e + max W_k/16 of mean_j K(u, x_j), for every n.",
    latex=r"\Bigl\lvert\mu_0+\sum_kL_kq_k+\tfrac12[\operatorname{relu}(p_k+W_kq_k-W_k)+p_k-\operatorname{relu}(p_k-W_kq_k)]"
          r"-\tfrac1n\sum_jK(u,x_j)\Bigr\rvert\le e+\max_k\tfrac{W_k}{16}",
    source="ours; the two hinges are the means of McCormick's envelopes (1976)", depends_on=("sum-decomposition",),
    hypotheses=("K continuous", "L_k <= beta_{k+1}(y) - beta_k(y) <= L_k + W_k"),
    constants={"share": Fraction(1, 8), "width": 1, "step": 1, "rate": Fraction(1, 2), "rest": 1},
    checks=(Check("two hinges for a product", Method.SYMBOLIC, two_hinges),
            Check("no smaller constant", Method.SYMBOLIC, attained),
            Check("beyond the cell", Method.SYMBOLIC, at_the_ends),
            Check("between two cuts", Method.SYMBOLIC, telescopes),
            Check("the error of lines in u", Method.SYMBOLIC, between_cuts),
            Check("two hinges for a weight", Method.SYMBOLIC, with_a_weight),
            Check("at the knots of v", Method.SYMBOLIC, at_the_knots),
            Check("networks on rational sequences", Method.EXACT, networks, support=True),
            Check("networks with weights", Method.EXACT, weighted_networks, support=True)),
    mutations=(Mutation("1/8 becomes 1/9", {"share": Fraction(1, 9)}),
               Mutation("W_k covers half of what D_k takes", {"width": Fraction(1, 2)}),
               Mutation("s is left out", {"rest": 0}),
               Mutation("q becomes q/2", {"step": Fraction(1, 2)}),
               Mutation("Lambda h/3", {"rate": Fraction(1, 3)})))
