"""quantiser-covers: every point of the closed box has exactly one cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy

from constructions.domains import Axis, Grid
from constructions.number_formats import FLOAT64
from constructions.sumformers.grid import quantiser_nodes
from proofs_check.evidence import every, identities, refuted
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def own_cell(given: Given) -> Evidence:
    """u = (x - a)/delta = j + t with an integer j and 0 <= t < 1: cell j, and no cell further down or up."""
    j, k = sympy.symbols("j k", integer=True, nonnegative=True)
    t = sympy.Symbol("t", nonnegative=True)
    u = j + t
    return follows({
        "u is not below cell j": (u - j, [(1, t)]),
        "u is below the end of cell j": (j + given["width"] - u, [(1, 1 - t)]),
        "a cell k > j lies above u, 1 - t away at least": (k - u, [(1, k - j - 1), (1, 1 - t)]),
        "a cell k < j ends at or below u": (u - (k + 1), [(1, j - k - 1), (1, t)])}, "u = j + t lies in cell j and in no other")


def upper_end(given: Given) -> Evidence:
    """u = N, the coordinate b itself, has the quotient N; min(N, N - 1) = N - 1 is the last cell, closed on the right."""
    N = sympy.Symbol("N", integer=True, positive=True)
    quotient = sympy.floor(N)
    cell = sympy.Min(quotient, N - 1) if given["clamp"] else quotient
    if sympy.simplify(cell - N).is_zero:
        return refuted("the upper end has no cell", "x = b gives floor((b - a)/delta) = N, but the cells are 0, .., N - 1")
    return identities({"cell of x = b": cell - (N - 1)}, "x = b lies in the last cell")


def built_quantisers(given: Given) -> Evidence:
    """The quantiser nodes that are built, at all ends, at their lower neighbours among floats, and in between."""
    return every(_points(given.effort(16, 48)), _wrong_cell, "{} points, each in one cell")


def _points(most: int) -> Iterator[tuple[Axis, float]]:
    for (a, b), cells in itertools.product((("0", "1"), ("-1", "2"), ("1/3", "2/3")), range(1, most + 1)):
        axis = Axis.uniform(Fraction(a), Fraction(b), cells, FLOAT64)
        inside = [float(x) for x in axis.edges if axis.lower <= Fraction(float(x)) <= axis.upper]
        below = [math.nextafter(x, -math.inf) for x in inside if Fraction(math.nextafter(x, -math.inf)) >= axis.lower]
        yield from ((axis, x) for x in [*inside, *below, *axis.centres.tolist()])


def _wrong_cell(case: tuple[Axis, float]) -> str:
    axis, x = case
    (node,) = quantiser_nodes(Grid((axis,)))
    found = int(node.table(np.array(x))[..., 0])
    last = axis.cells - 1
    cells = [k for k, (p, q) in enumerate(itertools.pairwise(axis.edges))
             if p <= Fraction(x) and (Fraction(x) < q or (k == last and Fraction(x) == q))]
    return "" if cells == [found] else f"x = {x!r}: the network says cell {found}, it lies in {cells} of {axis.edges}"


STEP = ProofStep(
    id="quantiser-covers", section=2,
    plain="With q(x) = min(floor((x - a)/delta), N - 1) every point of the closed box lies in exactly one cell.",
    latex=r"q(x)=\min(\lfloor (x-a)/\delta\rfloor,\,N-1)\quad\text{assigns exactly one cell to every }x\in[a,b]^d",
    source="paper, proof of theorem 4.1 (discontinuous), corrected by the clamp",
    hypotheses=("a < b", "N >= 1", "delta = (b - a)/N"),
    constants={"clamp": True, "width": 1},
    checks=(Check("a point below b lies in the cell floor(u) and in no other", Method.SYMBOLIC, own_cell),
            Check("the point b lies in the last cell", Method.SYMBOLIC, upper_end),
            Check("the networks that are built do this", Method.EXHAUSTIVE, built_quantisers, support=True)),
    mutations=(Mutation("the clamp is dropped", {"clamp": False}), Mutation("cells of half the mesh", {"width": Fraction(1, 2)})))
