"""grid-sumformer: the discretised Sumformer is f-bar exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy

from constructions.construct import Construction, construct, plan
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

TARGETS = (("own-times-mean", "1/4"), ("range", "1/2"), ("obstruction", "1"), ("moments", "1/2"))


def composition(given: Given) -> Evidence:
    """psi(x, S) = g(c(x), D(S - phi(x))), D(sum of the others' codes) = their multiset m: S(X)_i = g(c(x_i), m) = f-bar(X)_i."""
    x, code, m = sympy.symbols("x e m")  # e: the sum of the others' codes, m: the centres of the others
    c, D, phi, g = (sympy.Function(name) for name in ("c", "D", "phi", "g"))
    sigma = phi(x) + code
    output = g(c(x), D(sigma - given["subtracts"] * phi(x))).subs(D(code), m)
    return identities({"S - f-bar": output - g(c(x), m)}, "S = f-bar, hence ||f - S|| = ||f - f-bar|| <= w_f(delta/2)")


def built_sumformers(given: Given) -> Evidence:
    """Built Sumformers on sequences of cell ends, their lower neighbours and points between: f at the cell centres, exactly."""
    return every(_cases(given.effort(3, 5)), lambda case: _differs(*case), "{} sequences, four targets")


def _cases(most: int) -> Iterator[tuple[Target, Construction, tuple[float, ...]]]:
    points = [0.0, math.nextafter(0.25, 0), 0.25, 0.5, 0.7, 1.0][-most - 1:]
    for name, eps in TARGETS:
        target = resolve(name, n=3, d=None, domain="0,1")
        assert isinstance(target, Target)
        built = construct(target, plan(target, Fraction(eps), ()), ())
        yield from ((target, built, X) for X in itertools.product(points, repeat=3))


def _differs(target: Target, built: Construction, X: tuple[float, ...]) -> str:
    (axis,) = built.plan.grid.axes
    cells = [sum(Fraction(x) >= edge for edge in axis.edges[1:-1]) for x in X]
    centres = np.array([[Fraction(float(axis.centres[z]))] for z in cells], dtype=object)
    wanted = target.fractions(centres)
    found = built.sumformer(np.array(X)[:, None])
    gap = max(abs(Fraction(float(v)) - w) for v, w in zip(found.ravel(), wanted.ravel(), strict=True))
    name, limit = target.name, built.value_radius
    return "" if gap <= limit else f"{name}, X = {X}: S is {float(gap)} from f at the cell centres, allowed are {float(limit)}"


STEP = ProofStep(
    id="grid-sumformer", section=2,
    plain="The discretised Sumformer is f-bar exactly, so ||f - S|| <= w_f(delta/2), with d' = 1.",
    latex=r"S=\bar f,\qquad \|f-S\|\le w_f(\delta/2),\qquad d'=1",
    source="paper, theorem 4.1 (discontinuous)", hypotheses=("phi, psi may be discontinuous",),
    depends_on=("equivariance-semi-invariance", "piecewise-constant-error", "piecewise-constant-equivariant",
                "decode-left-inverse"),
    constants={"subtracts": 1},
    checks=(Check("quantise, encode, sum, decode, look up", Method.SYMBOLIC, composition),
            Check("built Sumformers are f at the cell centres", Method.EXACT, built_sumformers, support=True)),
    mutations=(Mutation("the own token is not subtracted before decoding", {"subtracts": 0}),))
