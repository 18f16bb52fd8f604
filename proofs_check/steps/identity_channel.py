"""identity-channel: a number passes a ReLU layer unchanged."""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy

from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def relu(t: sympy.Expr) -> sympy.Expr:
    """Return max(t, 0)."""
    return sympy.Max(t, 0)


def both_signs(given: Given) -> Evidence:
    """t = relu(t) - relu(-t) for t >= 0 and for t <= 0."""
    u = sympy.Symbol("u", nonnegative=True)
    second = given["second"]
    return identities({"t = u >= 0": relu(u) - second * relu(-u) - u, "t = -u <= 0": relu(-u) - second * relu(u) + u},
                      "t = relu(t) - relu(-t) for every real t")


def known_bound(given: Given) -> Evidence:
    """t = l + u with u >= 0: relu(t - l) + l = t."""
    lower, u = sympy.Symbol("l", real=True), sympy.Symbol("u", nonnegative=True)
    t = lower + given["above"] * u
    return identities({"relu(t - l) + l - t": relu(sympy.expand(t - lower)) + lower - t}, "one unit where t >= l is known")


def needs_the_bound(given: Given) -> Evidence:
    """Below l the second form is wrong, so the bound is needed."""
    pairs = itertools.combinations([Fraction(k, 3) for k in range(-4, 5)], 2)
    return every(pairs, lambda p: "" if max(p[0] - p[1], Fraction(0)) + p[1] != p[0] else f"t = {p[0]}, l = {p[1]}",
                 "{} pairs t < l: relu(t - l) + l is not t")


STEP = ProofStep(
    id="identity-channel", section=5, plain="t = relu(t) - relu(-t); with t >= l known, t = relu(t - l) + l.",
    latex=r"t=\mathrm{relu}(t)-\mathrm{relu}(-t);\qquad t\ge l\Rightarrow t=\mathrm{relu}(t-l)+l", source="folklore",
    constants={"second": 1, "above": 1},
    checks=(Check("both signs", Method.SYMBOLIC, both_signs), Check("a known lower bound", Method.SYMBOLIC, known_bound),
            Check("the bound is needed", Method.EXHAUSTIVE, needs_the_bound, support=True)),
    mutations=(Mutation("the second unit is dropped", {"second": 0}), Mutation("l is an upper bound", {"above": -1})))
