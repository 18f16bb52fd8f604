"""Refuse a target that is undefined somewhere on its domain, naming the place and the sub-expression."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from constructions.errors import Refused, Undefined
from constructions.targets import expression as ex
from constructions.targets.evaluation import Walker, ball_algebra
from constructions.targets.target import Target

Sides = list[tuple[Fraction, Fraction]]
ROOT = "; sqrt(maximum(u, r)) is defined, has a bounded slope, and differs from a root of u >= 0 by at most sqrt(r)"
_REASONS = {"log": "log needs an argument > 0", "sqrt": "sqrt needs an argument >= 0"}


def refuse_undefined(target: Target, *, max_boxes: int = 20_000) -> None:
    """Prove by subdivision in balls that the target is defined on all of box^n, or refuse.

    Raises:
        Undefined: at a point found, with the place.
        Refused: not shown to be defined within ``max_boxes`` boxes, with the place.
    """
    whole: Sides = list(target.box.sides) * target.n
    for point in _probes(whole):
        _refuse_point(target, point)
    queue, spent = deque([whole]), 0
    while queue:
        sides, spent = queue.popleft(), spent + 1
        culprit = _culprit(target, sides)
        if culprit is None:
            continue
        if spent > max_boxes:
            root = isinstance(culprit, ex.Apply) and culprit.function == "sqrt"
            raise Refused(f"{target.name} could not be shown to be defined on {target.box}: {_reason(culprit)} "
                          f"near X in {_shown(sides)}{ROOT if root else ''}")
        _refuse_point(target, [((a + b) / 2,) * 2 for a, b in sides])
        widest = max(range(len(sides)), key=lambda v: sides[v][1] - sides[v][0])
        (a, b), middle = sides[widest], sum(sides[widest], Fraction(0)) / 2
        queue += [[*sides[:widest], half, *sides[widest + 1:]] for half in ((a, middle), (middle, b))]


def _probes(sides: Sides) -> list[Sides]:
    """Corners where trouble usually sits: all low, all high, the own token low or high beside the opposite, the middle."""
    low, high = [(a, a) for a, _ in sides], [(b, b) for _, b in sides]
    middle = [((a + b) / 2,) * 2 for a, b in sides]
    return [low, high, middle, [low[0], *high[1:]], [high[0], *low[1:]]]


def _refuse_point(target: Target, point: Sides) -> None:
    culprit = _culprit(target, point)
    if culprit is not None:
        raise Undefined(f"{target.name} is undefined at X = ({', '.join(f'{float(a):.6g}' for a, _ in point)}): "
                        f"{_reason(culprit)}, in a domain of {target.box}")


def _culprit(target: Target, sides: Sides) -> ex.Expression | None:
    """Return the first sub-expression, innermost first, whose value on the box is not finite."""
    balls = np.array([_ball(a, b) for a, b in sides], dtype=object).reshape(target.n, target.d)
    walker = Walker(balls, ball_algebra(), slice(None))
    for output in target.outputs:
        for node in reversed(list(output.walk())):
            if not all(ball.is_finite() for ball in np.asarray(walker.value(node)).ravel()):
                return node
    return None


def _ball(a: Fraction, b: Fraction) -> arb:
    return arb(fmpq(a.numerator, a.denominator)).union(arb(fmpq(b.numerator, b.denominator)))


def _reason(node: ex.Expression | None) -> str:
    if isinstance(node, ex.Apply):
        why = _REASONS.get(node.function, "not finite")
    elif isinstance(node, ex.Binary) and node.operator == "/":
        why = f"the divisor {node.right} vanishes"
    else:
        why = "not finite"
    return f"{why} in {node} (column {node.column if node else 0})"


def _shown(sides: Sides) -> str:
    return ", ".join(f"[{float(a):.6g}, {float(b):.6g}]" for a, b in sides)
