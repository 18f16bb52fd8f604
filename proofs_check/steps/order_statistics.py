"""order-statistics: the m-th largest token from a thermometer, to within delta (1 - 1/n)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy
from hypothesis import strategies as st

from proofs_check.evidence import decided, every, identities, property_based
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.thermometer import Group, cell_sums, holds_rank


def one_cell(given: Given) -> Evidence:
    """x_(m) in cell c. j < c: m tokens contribute 1 each, s_j >= m. j > c: at most m - 1 contribute, s_j <= m - 1."""
    s, m = sympy.symbols("s m", real=True)
    return follows({"j < c: the clamp's argument is >= 1": ((s - m + given["offset"]) - 1, [(1, s - m)]),
                    "j > c: the clamp's argument is <= 0": (-(s - m + given["offset"]), [(1, (m - 1) - s)])},
                   "only the cell of x_(m) contributes a part, so the estimate lies in the same closed cell")


def sum_in_the_cell(given: Given) -> Evidence:
    """x_(m) = (c + t) delta: in s_c the m - 1 larger tokens give A, t to 1 each, the n - m smaller ones B, 0 to t each."""
    n, m, t, A, B = sympy.symbols("n m t A B", nonnegative=True)
    s, least, most = A + t + B, t, sympy.Rational(given["most"])  # what a larger token gives at least, and at most
    return follows({"m t <= s_c": (s - m * t, [(1, A - (m - 1) * least), (1, B)]),
                    "s_c <= m - 1 + (n - m + 1) t": ((m - 1) + (n - m + 1) * t - s,
                                                     [(1, (m - 1) * most - A), (1, (n - m) * t - B)])},
                   "m t <= s_c <= m - 1 + (n - m + 1) t, for symbolic n, m and t")


def exact_range(given: Given) -> Evidence:
    """The part of the cell is e = clamp(s_c - m + 1, 0, 1), with m t <= s_c <= m - 1 + (n - m + 1) t by sum_in_the_cell.

    p = 1 - m (1 - t) is at most 1 and at most the clamp's argument, so e >= p; k t, k = n - m + 1, is at least the argument and
    0, so e <= k t. Each is weighed with e >= 0, e <= 1: (1/m) p + (1 - 1/m) 0 and (1/k) k t + (1 - 1/k) 1.
    """
    m, k, t = sympy.symbols("m k t", positive=True)
    s, e = sympy.symbols("s e", real=True)
    n = m + k - 1
    p, argument, share = 1 - m * (1 - t), s - m + given["offset"], sympy.Rational(given["share"])
    return follows({"p <= 1": (1 - p, [(m, 1 - t)]), "p <= argument": (argument - p, [(1, s - m * t)]),
                    "argument <= k t": (k * t - argument, [(1, (m - 1) + (n - m + 1) * t - s)]),
                    "lower end": ((e - t) + share * (1 - 1 / m), [(1 / m, (m - 1) * e), (1 / m, e - p)]),
                    "upper end": (share * (1 - 1 / k) - (e - t), [(1 / k, (k - 1) * (1 - e)), (1 / k, k * t - e)])},
                   "(estimate - x_(m))/delta in [-(1 - 1/m), 1 - 1/(n-m+1)], for symbolic n, m and t")


def attained(given: Given) -> Evidence:
    """For every n, m and cell: m tokens at c + 1 - 1/m, the others at c; and m - 1 at c + 1, the others at c + 1/(n-m+1)."""
    m, k = sympy.symbols("m k", integer=True, positive=True)  # k = n - m + 1
    low = [Group(m, 0, 1 - 1 / m), Group(k - 1, 0, 0)]
    high = [Group(m - 1, 1, 0), Group(k, 0, 1 / k)]
    placed = _are_sequences({"low": (low, 0, 1), "high": (high, 1, 1)}, m, m + k - 1)
    if placed.status is not Status.PROVED:
        return placed
    argument = [cell_sums(groups, 1)[0] - m + given["offset"] for groups in (low, high)]
    share = sympy.Rational(given["share"])
    return identities({"low: the clamp's argument is 0": argument[0], "high: it is 1": argument[1] - 1,
                       "low: error": (0 - low[0].place) + share * (1 - 1 / m),
                       "high: error": (1 - high[1].place) - share * (1 - 1 / k)}, "both ends are attained, for every n and m")


def centred(given: Given) -> Evidence:
    """The offset -(1/2)(1/m - 1/(n-m+1)) centres the range; half of its length is 1 - (1/m + 1/(n-m+1))/2 <= 1 - 1/n."""
    n, m, k = sympy.symbols("n m k", positive=True)  # k = n - m + 1, m and k at most n
    low, high, offset = -(1 - 1 / m), 1 - 1 / k, -(1 / m - 1 / k) * sympy.Rational(given["centre"])
    half = 1 - (1 / m + 1 / k) / 2
    uncentred = {f"1 - 1/{r} <= 1 - 1/n": ((1 - 1 / n) - (1 - 1 / r), [(1 / (n * r), n - r)]) for r in (m, k)}
    return follows({"lower end": (low + offset + half, []), "upper end": (high + offset - half, []), **uncentred},
                   "centred: +-(1 - (1/m + 1/(n-m+1))/2); without the offset at most 1 - 1/n")


def no_better_decoder(given: Given) -> Evidence:
    """For every n, m: two sequences with equal sums; any answer r is off by half of their distance for one of them.

    In cells c, c + 1: m - 1 tokens at c + 2, k at c + 1/k, against m at c + 2 - 1/m, k - 1 at c (k = n - m + 1). In one cell:
    m at 1 - 1/m, the rest at 0, against m - 1 at 1, the rest at 0; and m - 1 at 1, k at 1/k, against m at 1, the rest at 0.
    """
    m, k = sympy.symbols("m k", integer=True, positive=True)
    r, x, y = sympy.symbols("r x y", real=True)
    down, up, best = 1 - 1 / m, 1 / k, sympy.Rational(given["best"])
    pairs = {"two cells": ([Group(m - 1, 2, 0), Group(k, 0, up)], [Group(m, 1, down), Group(k - 1, 0, 0)], 1, 0, down + 1 - up),
             "one cell, m-th": ([Group(m - 1, 1, 0), Group(k, 0, 0)], [Group(m, 0, down), Group(k - 1, 0, 0)], 1, 0, down),
             "one cell, others": ([Group(m - 1, 1, 0), Group(k, 0, up)], [Group(m, 1, 0), Group(k - 1, 0, 0)], 1, 0, 1 - up)}
    cells = {name: 2 if name == "two cells" else 1 for name in pairs}
    placed = _are_sequences({**{f"{name}, A": (A, own, cells[name]) for name, (A, _, own, _, _) in pairs.items()},
                             **{f"{name}, B": (B, own, cells[name]) for name, (_, B, _, own, _) in pairs.items()}}, m, m + k - 1)
    if placed.status is not Status.PROVED:
        return placed
    claims: dict[str, tuple[Any, Any]] = {}
    for name, (A, B, own_a, own_b, gap) in pairs.items():  # own: the group that holds the m-th largest token
        sums = zip(cell_sums(A, 3), cell_sums(B, 3), strict=True)
        claims |= {f"{name}: s_(c+{j})": (left - right, []) for j, (left, right) in enumerate(sums)}
        claims[f"{name}: distance"] = (B[own_b].place - A[own_a].place - best * gap, [])
    claims["(r - x) + (y - r) is the distance"] = ((y - x) - ((r - x) + (y - r)), [])
    claims["half of two cells"] = ((down + 1 - up) / 2 - (1 - (1 / m + 1 / k) / 2), [])
    return follows(claims, "no decoder of s errs by less: 1 - (1/m + 1/(n-m+1))/2 for N >= 2, for every n and m")


def _are_sequences(cases: Mapping[str, tuple[list[Group], int, int]], m: sympy.Expr, n: sympy.Expr) -> Evidence:
    """Decide for each (groups, own, cells) whether it is a sequence of n tokens whose m-th largest lies in group ``own``."""
    return decided({f"{name}: {what}": holds for name, (groups, own, cells) in cases.items()
                    for what, holds in holds_rank(groups, own, m, n, cells).items()}, "sequences of n tokens")


def all_sequences(given: Given) -> Evidence:
    """All sequences on a lattice: same cell, range, both ends attained."""
    cases = [(n, m, 2) for n in range(2, given.effort(5, 6)) for m in range(1, n + 1)]
    return every(cases, lambda case: _outside(*case, Fraction(given["share"])), "{} pairs of n and m, all sequences on a lattice")


def _outside(n: int, m: int, N: int, share: Fraction) -> str:
    low, high = -(1 - Fraction(1, m)) * share, (1 - Fraction(1, n - m + 1)) * share
    found = [(estimate(X, m, N) - sorted(X, reverse=True)[m - 1], X) for X in _lattice(n, m, N)]
    worst, best = min(found), max(found)
    if worst[0] < low or best[0] > high:
        value, X = worst if worst[0] < low else best
        return f"n = {n}, m = {m}, delta = 1, X = {tuple(map(str, X))}: estimate - x_(m) = {value}, claimed in [{low}, {high}]"
    return "" if (worst[0], best[0]) == (low, high) else f"n = {n}, m = {m}: range [{worst[0]}, {best[0]}] is not attained"


def _lattice(n: int, m: int, N: int) -> Iterator[tuple[Fraction, ...]]:
    parts = sorted({Fraction(0), Fraction(1), 1 - Fraction(1, m), Fraction(1, n - m + 1), Fraction(1, 2)})
    points = sorted({c + p for c in range(N) for p in parts})
    yield from itertools.combinations_with_replacement(points, n)


def estimate(X: Sequence[Fraction], m: int, N: int) -> Fraction:
    """Decode the thermometer sums of tokens in [0, N], delta = 1."""
    def clamp(u: Fraction) -> Fraction:
        return min(max(u, Fraction(0)), Fraction(1))

    sums = [sum((clamp(x - j) for x in X), Fraction(0)) for j in range(N)]
    return sum((clamp(s - m + 1) for s in sums), Fraction(0))


def drawn_sequences(given: Given) -> Evidence:
    """Sequences of any length up to 8 in [0, 5], drawn by hypothesis: same closed cell, and within the range."""
    cases = st.tuples(st.lists(st.integers(0, 300), min_size=2, max_size=8), st.integers(0, 7))  # sixtieths, and a rank
    return property_based(cases, lambda case: _misplaced([Fraction(k, 60) for k in case[0]], case[1], Fraction(given["share"])),
                          cases=given.effort(300, 3000), seed=given.seed, what="estimates in the cell and in the range")


def _misplaced(X: list[Fraction], rank: int, share: Fraction) -> str:
    n, m = len(X), rank % len(X) + 1
    exact = sorted(X, reverse=True)[m - 1]
    off = estimate(X, m, 5) - exact
    cell = min(int(exact), 4)
    inside = cell <= exact + off <= cell + 1
    in_range = -(1 - Fraction(1, m)) * share <= off <= (1 - Fraction(1, n - m + 1)) * share
    return "" if inside and in_range else f"X = {tuple(map(str, X))}, m = {m}: estimate - x_(m) = {off}"


STEP = ProofStep(
    id="order-statistics", section=4,
    plain="From thermometer sums s_j the estimate a + delta sum_j clamp(s_j - m + 1) of the m-th largest token is off by "
          "[-(1 - 1/m), 1 - 1/(n-m+1)] delta, attained.",
    latex=r"\frac{\hat x_{(m)}-x_{(m)}}\delta\in\Bigl[-\bigl(1-\tfrac1m\bigr),\,1-\tfrac1{n-m+1}\Bigr]",
    source="ours", hypotheses=("d = 1",), depends_on=("equivariance-semi-invariance", "modulus"),
    constants={"share": 1, "offset": 1, "centre": Fraction(1, 2), "most": 1, "best": 1},
    checks=(Check("only one cell contributes a part", Method.SYMBOLIC, one_cell),
            Check("the sum in that cell", Method.SYMBOLIC, sum_in_the_cell),
            Check("the range of the error", Method.SYMBOLIC, exact_range),
            Check("both ends are attained", Method.SYMBOLIC, attained),
            Check("the centred error", Method.SYMBOLIC, centred),
            Check("no decoder does better", Method.SYMBOLIC, no_better_decoder),
            Check("all sequences on a lattice", Method.EXHAUSTIVE, all_sequences, support=True),
            Check("drawn sequences", Method.PROPERTY, drawn_sequences, support=True)),
    mutations=(Mutation("the range is half as long", {"share": Fraction(1, 2)}),
               Mutation("clamp(s_j - m) in place of clamp(s_j - m + 1)", {"offset": 0}),
               Mutation("an offset of a third", {"centre": Fraction(1, 3)}),
               Mutation("a larger token gives at most 1/2", {"most": Fraction(1, 2)}),
               Mutation("every decoder errs by twice as much", {"best": 2})))
