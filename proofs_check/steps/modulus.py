"""modulus: a Lipschitz constant is a bound of the l1 norm of the gradient, from max norm to max norm."""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import enclosed, every
from proofs_check.inequalities import follows
from proofs_check.modulus import check_lipschitz
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

# name, constant, text: what the checker has to prove by subdivision
KNOWN = (("own-times-mean", "201/100"), ("max", "101/100"), ("range", "201/100"), ("f", "161/100"), ("obstruction", "401/100"))


def hoelder(given: Given) -> Evidence:
    """In the direction v the slope is grad . v; |sum g_c v_c| <= sum |g_c| max |v|, by one coordinate more at a time."""
    G, g, v, most = sympy.symbols("G g v V", nonnegative=True)  # norm so far; sizes of a derivative, its move, any move
    change = sympy.Symbol("c", real=True)  # |sum g_c v_c| so far
    bound = given["share"] * given["norm"]([G, g]) * most
    return follows({"one coordinate more": (bound - (change + g * v), [(1, G * most - change), (g, most - v)])},
                   "|grad . v| <= ||grad||_1 max |v|, for any number of coordinates")


def stop_on_the_way(given: Given) -> Evidence:
    """w_f(s + t) <= w_f(s) + w_f(t): on a segment of length D <= s + t the point at s/(s + t) is s and t away from its ends."""
    s, t = sympy.symbols("s t", positive=True)
    D, way = sympy.Symbol("D", nonnegative=True), given["stop"](s, t)
    return follows({"first part": (s - way * D, [(s / (s + t), s + t - D)]),
                    "second part": (t - (1 - way) * D, [(t / (s + t), s + t - D)])}, "w_f is subadditive on a convex domain")


def across_kinks(given: Given) -> Evidence:
    """|h(tau) - h(0)| <= (L t + e) tau up to some tau*, for any e > 0: it goes on beyond tau*, and e -> 0. However many kinks.

    Along the segment the upper right derivative of the output h is at most L t in size (hoelder, on one set at a time), so
    |h(tau* + p) - h(tau*)| <= (L t + e) p for all small p. If |h(1) - h(0)| exceeded L t, half of the excess would be an e.
    """
    L, t, e, before, part = sympy.symbols("L t e s p", nonnegative=True)  # before: tau*
    so_far, change, whole = sympy.symbols("h c H", real=True)  # sizes of changes up to tau*, beyond it, and over the segment
    excess = (whole - L * t) / 2
    return follows({"beyond tau*": ((L * t + e) * (given["before"] * before + part) - (so_far + change),
                                    [(1, (L * t + e) * before - so_far), (1, (L * t + e) * part - change)]),
                    "e -> 0": (whole - (L * t + excess), [(sympy.Rational(1, 2), whole - L * t)])},
                   "|f(X') - f(X)| <= L t across kinks, finitely many or not")


def linear_functions(given: Given) -> Evidence:
    """f(X) = g . X: its change |g . v| against norm(g) max |v|, all g and v with entries -1, 0, 1."""
    signs = list(itertools.product((-1, 0, 1), repeat=3))
    cases = [(g, v) for g in signs for v in signs]

    def objection(case: tuple[tuple[int, ...], tuple[int, ...]]) -> str:
        g, v = case
        change, allowed = abs(sum(p * q for p, q in zip(g, v, strict=True))), given["norm"](map(abs, g)) * max(map(abs, v))
        return "" if change <= allowed else f"f(X) = {g} . X: moving the tokens by {v} changes f by {change}, allowed {allowed}"

    return every(cases, objection, "{} gradients and moves")


def library_constants(given: Given) -> Evidence:
    """Subdivide the sequences of library targets with interval gradients."""
    return enclosed(every(KNOWN[: given.effort(3, 5)], lambda case: _not_found(*case, "certified"),
                          "{} library targets: constants proved by subdivision"))


def false_constants(given: Given) -> Evidence:
    """A constant that is too small is refuted with a point, so the search is not blind."""
    return every((("own-times-mean", "199/100"), ("range", "199/100")), lambda case: _not_found(*case, "refuted"),
                 "{} false constants refuted with a witness")


def _not_found(name: str, constant: str, wanted: str) -> str:
    target = resolve(name, n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    found = check_lipschitz(target.outputs, target.n, target.d, target.box.lower, target.box.upper, Fraction(constant))
    return "" if found.status == wanted else f"{name}: the constant {constant} is {found.status}"


STEP = ProofStep(
    id="modulus", section=1,
    plain="|f(X) - f(X')| <= L max_k |x_k - x'_k| if the l1 norm of the gradient of each piece of f is at most L on its set.",
    latex=r"|f(X)-f(X')|\le w_f(\max_k|x_k-x_k'|),\qquad w_f(t)\le t\,\sup_g\|\nabla g\|_1",
    source="ours",
    hypotheses=("the domain is convex, and for each output a finite union of closed sets",
                "f is continuous; on each set the output is a function g that is continuously differentiable around it"),
    constants={"norm": sum, "share": 1, "before": 1, "stop": lambda s, t: s / (s + t)},
    checks=(Check("the l1 norm bounds what a move changes", Method.SYMBOLIC, hoelder),
            Check("linear functions", Method.EXHAUSTIVE, linear_functions, support=True),
            Check("moduli are subadditive", Method.SYMBOLIC, stop_on_the_way),
            Check("the bound is carried on across kinks", Method.SYMBOLIC, across_kinks),
            Check("constants of library targets", Method.ENCLOSURE, library_constants, support=True),
            Check("constants that are too small", Method.ENCLOSURE, false_constants, support=True)),
    mutations=(Mutation("the max norm of the gradient in place of the l1 norm", {"norm": lambda parts: sympy.Max(*parts)}),
               Mutation("half of a partial derivative", {"share": sympy.Rational(1, 2)}),
               Mutation("only the last piece counts", {"before": 0}),
               Mutation("a stop in the middle", {"stop": lambda s, t: sympy.Rational(1, 2)})))
