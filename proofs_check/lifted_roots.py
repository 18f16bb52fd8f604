"""How far a target is from the same with its roots lifted, max(u, r)^c for u^c: both trees walked side by side.

Where f is defined u is not negative, and then, for any v within delta of u and r > 0 (mathematics: lifted-root),

    |u^c - max(v, r)^c| <= max(r^c, min(delta^c, delta r^(c-1))) for 0 < c < 1,
                           max(r^c, c B^(c-1) delta) for c >= 1 and u, v, r <= B.

Everything else passes on what its parts differ by, by its slopes over the range of the lifted tree, widened by the difference: so
nothing is asked of the ranges of f. How the lifted tree was made does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from constructions.targets import expression as ex
from constructions.targets.target import AnyTarget, Target
from proofs_check.decimals import counted
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval, quiet
from proofs_check.kernel import Claim, Status, Step
from proofs_check.propositions import TARGET, Near
from proofs_check.structure.averages import Sides, natural_range, quotient_range
from proofs_check.structure.deviation import slope_range
from proofs_check.structure.functions import value_range
from proofs_check.structure.ranges import Range

ID = "lifted-root"
LIFTED = "f with lifted roots"
T = ex.Own(0)
TINY = 1e-300


def stored_lifted(plan: Mapping[str, Any], target: AnyTarget) -> Target | None:
    """Read the lifted tree that a run was built for, None where it was built for f itself.

    Raises:
        BadInput: the text is outside the language.
        ValueError: it has other outputs, or the target is no expression.
    """
    if "lifted" not in plan:
        return None
    if not isinstance(target, Target):
        raise ValueError("a callable has no roots to lift")
    lifted = lifted_target(str(plan["lifted"]), target)
    if lifted.d_out != target.d_out:
        raise ValueError(f"f has {target.d_out} outputs, and with lifted roots {lifted.d_out}")
    return lifted


def lifted_target(text: str, target: Target) -> Target:
    """Read the lifted tree; a position is a coordinate like the others.

    Raises:
        BadInput: the text is outside the language.
    """
    return Target.from_text(text, n=target.n, box=target.box, name=LIFTED)


def lifted_steps(target: Target, lifted: Target, claim: Claim, defined: Step) -> list[Step]:
    """Return the step that bounds |f - f with lifted roots| over the claimed lengths, where f is defined; or an undecided one."""
    n, wanted, held = (None, target.symbolic, lifted.symbolic) if claim.every_n else (target.n, target.outputs, lifted.outputs)
    bound = max(Moved(target.box.sides, n).of(f, g) for f, g in zip(wanted, held, strict=True))
    if not bound < math.inf:
        return [Step(ID, f"it is not shown how far f is from {lifted.text}", Status.UNDECIDED)]
    says = Near(TARGET, LIFTED, Fraction(bound), claim.scope)
    what = f"against f with {counted(len(heights(held) - heights(wanted)), 'root')} lifted: {lifted.text}"
    return [Step(ID, what, Status.CERTIFIED, Fraction(bound), says=says, premises=(defined,))]


def heights(trees: Sequence[ex.Expression]) -> set[tuple[ex.Expression, Fraction]]:
    """Return the roots max(v, r)^c in trees, each with its r."""
    return {(node, found[2]) for tree in trees for node in tree.walk() if (found := _lifted(node)) is not None}


def steepness(trees: Sequence[ex.Expression]) -> float:
    """Return the largest slope of a lifted root, about, and 1 if there is none."""
    found = [lifted for tree in trees for node in tree.walk() if (lifted := _lifted(node)) is not None]
    return max([1.0, *(max(float(Interval.constant(r).lower), TINY) ** float(c - 1) for c, _, r in found if c < 1)])


def _lifted(node: ex.Expression) -> tuple[Fraction, ex.Expression, Fraction] | None:
    """Return (c, v, r) of max(v, r)^c, r > 0; None of another node."""
    match ex.fractional_power(node):
        case c, ex.Binary(operator="maximum", left=v, right=height) if (r := ex.rational_value(height)) is not None and r > 0:
            return c, v, r
    return None


@dataclass
class Moved:
    """Upper bounds of |a - b| over all sequences of a box, for a part a of f and the part b in its place; n None: every n."""

    sides: Sides
    n: int | None
    known: dict[tuple[ex.Expression, ex.Expression], float] = field(default_factory=dict)

    @quiet
    def of(self, a: ex.Expression, b: ex.Expression) -> float:
        """Return the bound, inf where the trees do not show one."""
        if a == b or (ex.rational_value(a) is not None and ex.rational_value(a) == ex.rational_value(b)):
            return 0.0
        if (a, b) not in self.known:
            found = [bound for bound in (self._root(a, b), self._alike(a, b)) if not math.isnan(bound)]
            self.known[a, b] = min(found, default=math.inf)
        return self.known[a, b]

    def _root(self, a: ex.Expression, b: ex.Expression) -> float:
        """u^c against max(v, r)^c, by the lemma."""
        power, lifted = ex.fractional_power(a), _lifted(b)
        if power is None or lifted is None or power[0] != lifted[0]:
            return math.inf
        (c, u), (_, v, height) = power, lifted
        r, moved = Interval.constant(height), self.of(u, v)
        below = float(on_intervals.raised(r, c).upper)
        if not 0 < moved < math.inf:
            return below if not moved else math.inf
        delta = Interval.of(moved)
        if c >= 1:
            B = Interval.of(max(self._largest(v, moved), float(r.upper)))
            slope = Interval.constant(c) * (on_intervals.raised(B, c - 1) if c > 1 else Interval.of(1.0))
            return max(below, float((slope * delta).upper))
        return max(below, min(float(on_intervals.raised(delta, c).upper), float((delta / on_intervals.raised(r, 1 - c)).upper)))

    def _alike(self, a: ex.Expression, b: ex.Expression) -> float:
        match a, b:
            case ex.Apply(function="neg" | "abs" | "relu" as f, argument=u), ex.Apply(function=g, argument=v) if f == g:
                return self.of(u, v)
            case ex.Apply(function=f, argument=u), ex.Apply(function=g, argument=v) if f == g:
                return self._by_slope(ex.Apply(f, T), u, v)
            case ex.Power(base=u, exponent=ex.Number() as k), ex.Power(base=v, exponent=ex.Number() as m) if k == m:
                return self._by_slope(ex.Power(T, k), u, v)
            case ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=p), right=ex.Reduction(kind="sum", body=q)), \
                    ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=s), right=ex.Reduction(kind="sum", body=t)):
                return self._quotient(*(ex.Reduction("mean", body) for body in (p, q, s, t)))
            case ex.Binary(operator=f, left=p, right=q), ex.Binary(operator=g, left=s, right=t) if f == g:
                return self._binary(f, p, q, s, t)
            case ex.Reduction(kind="sum", body=u), ex.Reduction(kind="sum", body=v):
                return math.inf if self.n is None else float((Interval.of(self.of(u, v)) * Interval.constant(self.n)).upper)
            case ex.Reduction(kind=f, body=u), ex.Reduction(kind=g, body=v) if f == g:
                return self.of(u, v)
        return math.inf

    def _by_slope(self, g: ex.Expression, u: ex.Expression, v: ex.Expression) -> float:
        """|g(u) - g(v)| <= sup |g'| |u - v|, and at most what g varies by, over all values of u and v where they differ."""
        moved = self.of(u, v)
        if not moved < math.inf:
            return math.inf
        low, high = self._where_different(u, v, moved)
        slope, (least, largest) = max(map(abs, slope_range(g, low, high))), value_range(g, [(low, high)])
        found = [Interval.of(largest) - Interval.of(least)] if math.isfinite(largest - least) else []
        found += [Interval.of(slope) * Interval.of(moved)] if math.isfinite(slope) else []
        return min((float(bound.upper) for bound in found), default=math.inf)

    def _where_different(self, u: ex.Expression, v: ex.Expression, moved: float) -> Range:
        """Return where the values lie that differ: between 0 and r^c for roots of the same argument."""
        power, lifted = ex.fractional_power(u), _lifted(v)
        if power is not None and lifted is not None and power[0] == lifted[0] and self.of(power[1], lifted[1]) == 0:
            return 0.0, float(on_intervals.raised(Interval.constant(lifted[2]), lifted[0]).upper)
        return self._around(v, moved)

    def _binary(self, operator: str, p: ex.Expression, q: ex.Expression, s: ex.Expression, t: ex.Expression) -> float:
        """p against s and q against t, s and t in the lifted tree."""
        if operator == "/":
            return self._quotient(p, q, s, t)
        first, second = Interval.of(self.of(p, s)), Interval.of(self.of(q, t))
        if operator in ex.PAIRS:
            return max(float(first.upper), float(second.upper))
        if operator in ("+", "-"):
            return float((first + second).upper)
        # p q - s t = p (q - t) + t (p - s)
        return float((Interval.of(self._largest(s, float(first.upper))) * second
                      + Interval.of(self._largest(t, 0.0)) * first).upper)

    def _quotient(self, p: ex.Expression, q: ex.Expression, s: ex.Expression, t: ex.Expression) -> float:
        """p/q - s/t = ((p - s) - s/t (q - t))/q."""
        first, second = Interval.of(self.of(p, s)), Interval.of(self.of(q, t))
        low, high = self._around(t, float(second.upper))
        least = max(low, -high)
        if not least > 0:
            return math.inf
        whole = natural_range(ex.Binary("/", s, t), self.sides, self.n)
        average = quotient_range(s, t, self.sides)
        size = min(max(map(abs, whole)), max(map(abs, average)))
        return float(((first + Interval.of(size) * second) / Interval.of(least)).upper)

    def _largest(self, node: ex.Expression, moved: float) -> float:
        return max(map(abs, self._around(node, moved)))

    def _around(self, node: ex.Expression, moved: float) -> Range:
        """Return the range of a part of the lifted tree, and of what is so near to it."""
        low, high = natural_range(node, self.sides, self.n)
        wider = Interval.of(low, high) + Interval.of(-moved, moved)
        return float(wider.lower), float(wider.upper)

