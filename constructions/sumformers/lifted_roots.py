"""max(u, r)**c in the place of roots and other powers u**c that reach 0, where slopes have no bound (mathematics: lifted-root).

For u >= 0, |u - v| <= delta and 0 < c < 1,  |u^c - max(v, r)^c| <= max(r^c, min(delta^c, delta r^(c-1))). How far that moves f is
followed up the tree by the slopes of its parts. It is an estimate for the design, rounded: the checker has its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flint import arb

from constructions.errors import BadInput, Refused
from constructions.number_formats import short_decimal_above
from constructions.pieces.forms import Quantity, ball, ends, size
from constructions.sumformers.natural_range import natural_range
from constructions.targets import expression as ex
from constructions.targets.definedness import refuse_undefined_at_probes
from constructions.targets.target import Target

LEAST, LARGEST = 1e-200, 1e6  # heights
FACTOR, HALVED = 16.0, 8  # between two that are tried, and how often the interval between is halved then
ABOVE = 1 + 1e-6  # room for what the checker rounds


@dataclass(frozen=True, eq=False)
class Lifted:
    """A target with its roots lifted, and how far it is from the one without.

    Attributes:
        target: in the language, its text with ``maximum(u, r)`` for u; a position is a coordinate like the others.
        height: r.
        missed: the distance, estimated.
        every_n: whether it does not grow with n.
    """

    target: Target
    height: Fraction
    missed: Fraction
    every_n: bool

    @property
    def what(self) -> str:
        """Say what was done."""
        return f"roots of max(u, {float(self.height):.3g}) in place of roots of u"


def lifted_instead(target: Target, tolerance: Fraction, refused: Refused) -> Lifted:
    """Lift the roots of a target that was refused, for half of the tolerance; raises the refusal where that does not help."""
    try:
        instead = lifted(target, tolerance / 2)
    except Refused as neither:
        raise Refused(f"{refused}; {neither}") from None
    if instead is None:
        raise refused
    refuse_undefined_at_probes(target)  # with its roots lifted it would have values there
    return instead


def lifted(target: Target, tolerance: Fraction) -> Lifted | None:
    """Lift the roots whose argument is not seen to stay above 0 as far as the tolerance allows; None where there are none.

    Raises:
        Refused: the tree does not show how far f moves, or f moves more than the tolerance however little the roots are lifted.
    """
    tokens = [Quantity(f"x.{c}", ball(a).union(ball(b)), True) for c, (a, b) in enumerate(target.box.sides)]
    roots = _reaching_zero(target.symbolic, tokens, target.n)
    if not roots:
        return None
    wanted, ranges = float(tolerance), functools.cache(lambda node: natural_range(node, tokens, target.n))

    def moved(height: float) -> float:
        try:
            return _Moved(ranges, target.n, roots, height).largest(target.symbolic) * ABOVE
        except OverflowError:
            return math.inf

    height = min(max(wanted * wanted, LEAST), LARGEST)
    while not moved(height) <= wanted:
        height /= FACTOR
        if height < LEAST:
            raise Refused(f"a root of it reaches 0, where its slope has no bound, and lifting it by {LEAST:g} is not seen to "
                          f"move {target.name} by at most {wanted:.3g}")
    while height < LARGEST and moved(height * FACTOR) <= wanted:
        height *= FACTOR
    for k in range(1, HALVED + 1):
        higher = height * FACTOR ** (0.5**k)
        height = higher if moved(higher) <= wanted else height
    return _at(target, roots, height, Fraction(moved(height)))


def _at(target: Target, roots: frozenset[ex.Expression], height: float, missed: Fraction) -> Lifted:
    r = 1 / short_decimal_above(1 / Fraction(height), 3)  # rounded down
    raised = (ex.with_bases(output, roots, lambda u: ex.Binary("maximum", u, ex.Number(r))) for output in target.symbolic)
    text = ", ".join(map(str, raised))
    try:
        trees = Target.from_text(text, n=target.n, box=target.box, name=target.name)
    except BadInput as too_long:
        raise Refused(f"its roots lifted it is no text of the language: {too_long}") from None
    return Lifted(trees, r, missed, not any(map(_counts, target.symbolic)))


def _counts(node: ex.Expression) -> bool:
    """Say whether n occurs, or a sum of all tokens that is not divided by one."""
    match node:
        case ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=u), right=ex.Reduction(kind="sum", body=v)):
            return _counts(u) or _counts(v)
        case ex.Length() | ex.Reduction(kind="sum"):
            return True
    return any(map(_counts, node.children()))


def _reaching_zero(outputs: Sequence[ex.Expression], tokens: Sequence[Quantity], n: int) -> frozenset[ex.Expression]:
    """Return the roots whose argument is not positive by interval arithmetic."""
    powers = ((node, ex.fractional_power(node)) for output in outputs for node in output.walk())
    return frozenset(node for node, power in powers if power is not None and not natural_range(power[1], tokens, n) > 0)


@dataclass
class _Moved:
    """How much each part of a tree moves when its roots are lifted to a height; inf where that is not seen.

    Attributes:
        ranges: of parts as they are written.
    """

    ranges: Callable[[ex.Expression], arb]
    n: int
    roots: frozenset[ex.Expression]
    height: float
    known: dict[ex.Expression, float] = field(default_factory=dict)

    def largest(self, outputs: Sequence[ex.Expression]) -> float:
        """Return how much the outputs move."""
        return max(self.of(output) for output in outputs)

    def of(self, node: ex.Expression) -> float:
        """Return how much a part moves."""
        if node not in self.known:
            if node in self.roots and (power := ex.fractional_power(node)) is not None:
                self.known[node] = self._of_root(*power)
            else:
                self.known[node] = self._of(node) if any(self.of(child) for child in node.children()) else 0.0
        return self.known[node]

    def _of_root(self, c: Fraction, u: ex.Expression) -> float:
        moved, power = self.of(u), float(c)
        if c >= 1:
            return max(self.height**power, power * max(size(self._range(u)), self.height) ** (power - 1) * moved)
        return max(self.height**power, min(moved**power, moved * self.height ** (power - 1)))

    def _of(self, node: ex.Expression) -> float:
        match node:
            case ex.Apply(function="neg" | "abs" | "relu" | "sin" | "cos" | "tanh", argument=u):
                return self.of(u)
            case ex.Apply(function="sigmoid", argument=u):
                return self.of(u) / 4
            case ex.Apply(function=name, argument=u):
                low, high = ends(self._range(u))
                return _steepest(name, low, high) * self.of(u)
            case ex.Power(base=u, exponent=ex.Number(value=k)) if k > 0 and self._of_exact(u):
                return self.of(u) ** int(k)  # only roots from 0 to r^c move
            case ex.Power(base=u, exponent=ex.Number(value=k)):
                values = self._range(u)
                return float(abs(k)) * size(values ** (int(k) - 1)) * self.of(u)
            case ex.Binary(operator="+" | "-", left=u, right=v):
                return self.of(u) + self.of(v)
            case ex.Binary(operator="*", left=u, right=v):
                return size(self.ranges(u)) * self.of(v) + size(self._range(v)) * self.of(u)
            case ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=u), right=ex.Reduction(kind="sum", body=v)):
                return self._quotient(node, u, v)
            case ex.Binary(operator="/", left=u, right=v):
                return self._quotient(node, u, v)
            case ex.Binary(left=u, right=v):
                return max(self.of(u), self.of(v))
            case ex.Reduction(kind="sum", body=u):
                return self.n * self.of(u)
            case ex.Reduction(body=u):
                return self.of(u)
        return math.inf

    def _quotient(self, whole: ex.Expression, u: ex.Expression, v: ex.Expression) -> float:
        """u/v - u'/v' = ((u - u') - u/v (v - v'))/v'."""
        divisor = self._range(v)
        least = max(ends(divisor)[0], -ends(divisor)[1])
        return (self.of(u) + size(self.ranges(whole)) * self.of(v)) / least if least > 0 else math.inf

    def _of_exact(self, node: ex.Expression) -> bool:
        power = ex.fractional_power(node) if node in self.roots else None
        return power is not None and not self.of(power[1])

    def _range(self, node: ex.Expression) -> arb:
        """Enclose a part before and after."""
        return self.ranges(node) + arb(0, self.of(node)) if self.of(node) < math.inf else arb(0, math.inf)


def _steepest(name: str, low: float, high: float) -> float:
    if name == "exp":
        return math.exp(high) if high < 700 else math.inf
    if low <= 0:
        return math.inf
    return 1 / low if name == "log" else 1 / (2 * math.sqrt(low))
