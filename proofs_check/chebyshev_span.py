"""Chebyshev polynomials and means in place of monomials and sums: same span, better conditioned (mathematics:
semi-invariant-form, numerically sound basis)."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import fmpq, fmpq_mat

from proofs_check.evidence import every, refuted
from proofs_check.kernel import Status
from proofs_check.proof import Evidence, Given

Index = tuple[int, ...]


def triangular(given: Given) -> Evidence:
    """T_0(2t - 1), .., T_D(2t - 1) are monomials through a triangular matrix with the diagonal 2^(2k-1), never 0."""
    t = sympy.Symbol("t")
    return every(range(1, given.effort(12, 30)), lambda k: _diagonal(k, t), "{} degrees: the change of basis is invertible")


def _diagonal(k: int, t: sympy.Symbol) -> str:
    leading = sympy.Poly(sympy.chebyshevt(k, 2 * t - 1), t).LC()
    return "" if leading == sympy.Integer(2) ** (2 * k - 1) else f"k = {k}: leading coefficient {leading}"


def same_span(given: Given) -> Evidence:
    """Ranks of both families, and of both together, on rational sequences: equal, so the spans are equal on them."""
    cases = [(2, 1, 3), (3, 1, 4), (3, 2, 2), *([(3, 2, 3), (4, 1, 5)] if given.full else [])]
    return every(cases, lambda case: _spans_differ(*case, given["drops_constant"]), "{} triples (n, d, D): equal ranks, exactly")


def _spans_differ(n: int, d: int, D: int, drops_constant: bool) -> str:
    families = [_family(n, d, D, _monomials), _family(n, d, D, _chebyshev, drops_constant=drops_constant)]
    ranks = [_rank(rows) for rows in (*families, [a + b for a, b in zip(*families, strict=True)])]
    return "" if len(set(ranks)) == 1 else f"n = {n}, d = {d}, D = {D}: ranks {ranks[0]} and {ranks[1]}, together {ranks[2]}"


def _family(n: int, d: int, D: int, basis: Any, *, largest: int | None = None,
            drops_constant: bool = False) -> list[list[Fraction]]:
    """Rows: sequences; columns: x^a times products of means of b_1, b_2, .., total degree at most D, |b_j| <= ``largest``."""
    indices = [a for a in itertools.product(range(D + 1), repeat=d) if sum(a) <= D]
    products = [(a, b) for a in indices for size in range(D + 1)
                for b in itertools.combinations_with_replacement([i for i in indices if 0 < sum(i) <= (largest or D)], size)
                if sum(a) + sum(map(sum, b)) <= D]
    sequences = len(products) + 8
    products = [(a, b) for a, b in products if any(a) or not drops_constant]
    draw = np.random.default_rng(1)
    rows = []
    for _ in range(sequences):
        X = [[Fraction(int(v), 97) for v in token] for token in draw.integers(0, 98, (n, d))]
        values = {i: [basis(token, i) for token in X] for i in indices}
        means = {i: sum(column, Fraction(0)) / n for i, column in values.items()}
        rows.append([values[a][0] * math.prod((means[i] for i in b), start=Fraction(1)) for a, b in products])
    return rows


def _monomials(token: list[Fraction], a: Index) -> Fraction:
    return math.prod((x**k for x, k in zip(token, a, strict=True)), start=Fraction(1))


def _chebyshev(token: list[Fraction], a: Index) -> Fraction:
    return math.prod((_T(k, 2 * x - 1) for x, k in zip(token, a, strict=True)), start=Fraction(1))


def _T(k: int, t: Fraction) -> Fraction:
    before, now = t, Fraction(1)  # T_{-1} = T_1
    for _ in range(k):
        before, now = now, 2 * t * now - before
    return now


def _rank(rows: list[list[Fraction]]) -> int:
    return int(fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in rows]).rank())


def dependent(given: Given) -> Evidence:
    """|b_j| <= n - 1 = 2, degree 4: independent for d = 1, dependent for d = 2; least squares must find the rank."""
    line, plane = (_family(3, d, 4, _monomials, largest=2) for d in (1, 2))
    columns, rank = len(plane[0]), _rank(plane)
    if rank == columns or _rank(line) != len(line[0]):
        return refuted("not as claimed", f"d = 1: {len(line[0])} products of rank {_rank(line)}; d = 2: {columns}, rank {rank}")
    return Evidence(Status.PROVED, f"n = 3, degree 4: d = 1 independent; d = 2 has {columns} products of rank {rank}", 2)


def conditioning(given: Given) -> Evidence:
    """Condition numbers of both families in float64, one token."""
    t = np.linspace(0, 1, 200)
    numbers = [np.linalg.cond(basis) for basis in (np.vander(t, 13), np.polynomial.chebyshev.chebvander(2 * t - 1, 12))]
    if numbers[1] >= numbers[0]:
        return refuted("Chebyshev is no better", f"{numbers}")
    return Evidence(Status.SAMPLED, f"degree 12 on 200 points: condition {numbers[0]:.1e} against {numbers[1]:.1e}", 1)
