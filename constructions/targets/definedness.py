"""Refuse a target that is undefined somewhere on its domain, naming the place and the sub-expression."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from constructions.errors import Refused, Undefined
from constructions.targets import expression as ex
from constructions.targets.evaluation import Walker, ball_algebra
from constructions.targets.target import Target
from constructions.wording import some

Sides = list[tuple[Fraction, Fraction]]
FINEST = Fraction(1, 2**48)  # of the domain: if so small a box does not show it, halves of it do not
ROOT = "; maximum(u, r)**c is defined, has a bounded slope, and differs from u**c by at most r**c where u >= 0 and c <= 1"
_REASONS = {"log": "log needs an argument > 0", "sqrt": "sqrt needs an argument >= 0"}


def refuse_undefined(target: Target, *, max_boxes: int = 20_000) -> None:
    """Prove by subdivision in balls that the target is defined on all of box^n, or refuse.

    Raises:
        Undefined: at a point found, with the place.
        Refused: not shown to be defined within ``max_boxes`` boxes, with the place.
    """
    refuse_undefined_at_probes(target)
    whole: Sides = list(target.box.sides) * target.n
    queue, spent = deque([whole]), 0
    while queue:
        sides, spent = queue.popleft(), spent + 1
        culprit = _culprit(target, sides)
        if culprit is None:
            continue
        widest = max(range(len(sides)), key=lambda v: sides[v][1] - sides[v][0])
        (a, b), middle = sides[widest], sum(sides[widest], Fraction(0)) / 2
        if spent > max_boxes or b - a <= FINEST * (whole[widest][1] - whole[widest][0]):
            raise Refused(f"{target.name} could not be shown to be defined on {target.box}: {_reason(culprit)} "
                          f"near X in {_shown(sides)}{ROOT if ex.fractional_power(culprit) else ''}")
        _refuse_point(target, [((a + b) / 2,) * 2 for a, b in sides])
        queue += [[*sides[:widest], half, *sides[widest + 1:]] for half in ((a, middle), (middle, b))]


def refuse_undefined_at_probes(target: Target) -> None:
    """Refuse a target that is undefined where trouble usually sits.

    Raises:
        Undefined: with the place.
    """
    for point in _probes(list(target.box.sides) * target.n):
        _refuse_point(target, point)


def _probes(sides: Sides) -> list[Sides]:
    """Corners where trouble usually sits: all low, all high, the own token low or high beside the opposite, the middle."""
    low, high = [(a, a) for a, _ in sides], [(b, b) for _, b in sides]
    middle = [((a + b) / 2,) * 2 for a, b in sides]
    return [low, high, middle, [low[0], *high[1:]], [high[0], *low[1:]]]


def _refuse_point(target: Target, point: Sides) -> None:
    culprit = _culprit(target, point)
    if culprit is not None and _certain(target, point, culprit):
        raise Undefined(f"{target.name} is undefined at X = ({some([f'{float(a):.6g}' for a, _ in point])}): "
                        f"{_reason(culprit)}, in a domain of {target.box}")


def _culprit(target: Target, sides: Sides) -> ex.Expression | None:
    """Return the first sub-expression, innermost first, whose value on the box is not finite."""
    walker = _walker(target, sides)
    for output in target.outputs:
        for node in reversed(list(ex.outside_powers(output))):
            if not all(ball.is_finite() for ball in np.asarray(walker.value(node)).ravel()):
                return node
    return None


def _walker(target: Target, sides: Sides) -> Walker:
    balls = np.array([_ball(a, b) for a, b in sides], dtype=object).reshape(target.n, target.d)
    return Walker(balls, ball_algebra(), slice(None))


def _certain(target: Target, point: Sides, culprit: ex.Expression) -> bool:
    """Say whether the balls show that the sub-expression has no value there, not merely no value that they show."""
    walker = _walker(target, point)

    def somewhere(node: ex.Expression, holds: Callable[[arb], bool]) -> bool:
        return any(holds(ball) for ball in np.asarray(walker.value(node)).ravel())

    power = ex.fractional_power(culprit)
    if power is not None:
        return somewhere(power[1], lambda ball: bool(ball < 0))
    match culprit:
        case ex.Apply(function="log", argument=u):
            return somewhere(u, lambda ball: bool(ball <= 0))
        case ex.Binary(operator="/", right=u) | ex.Power(base=u):
            return somewhere(u, lambda ball: bool(ball == 0))
    return False


def _ball(a: Fraction, b: Fraction) -> arb:
    return arb(fmpq(a.numerator, a.denominator)).union(arb(fmpq(b.numerator, b.denominator)))


def _reason(node: ex.Expression | None) -> str:
    if node is not None and (power := ex.fractional_power(node)) is not None and power[0] != Fraction(1, 2):
        why = "a fractional power needs a base >= 0"
    elif isinstance(node, ex.Apply):
        why = _REASONS.get(node.function, "not finite")
    elif isinstance(node, ex.Binary) and node.operator == "/":
        why = f"the divisor {node.right} vanishes"
    else:
        why = "not finite"
    return f"{why} in {node} (column {node.column if node else 0})"


def _shown(sides: Sides) -> str:
    return some([f"[{float(a):.6g}, {float(b):.6g}]" for a, b in sides])
