"""Is the target defined on the whole domain, for all lengths that are claimed? By enclosures of the checker's own.

A target is undefined where a divisor is 0, a logarithm sees no positive number, or a square root a negative one. That algebra
makes two expressions equal says nothing about this: log(x) - log(x) + x is x for x > 0 only. Each such part of the tree as it
is written has to show its sign, in one of three ways, the cheapest first:

1. interval arithmetic on the tree, where means range as what is averaged, and the signs that the parts show by themselves;
2. own tokens and means in boxes, cut where needed, the means in the convex hull of what is averaged (``mean_hulls``): any n;
3. the sorted tokens of a sequence in boxes, cut where needed (``walker``): one n.

"Not shown" is undecided, never false.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from constructions.targets.target import Target
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.enclosures.interval import Interval, quiet
from proofs_check.kernel import Claim, Status, Step
from proofs_check.mean_hulls import shown_by_hulls
from proofs_check.propositions import TARGET, Defined, Scope
from proofs_check.selection import Forking
from proofs_check.structure.averages import natural_range
from proofs_check.structure.exact_ranges import exact_range
from proofs_check.sup_norm import Search
from proofs_check.walker import Walker

ID = "definedness"
MOST_COORDINATES = 24  # of a sequence that is covered by boxes
MOST_BOXES = 20_000
Sides = Sequence[tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class Needed:
    """A part of the tree that is defined only where an argument is positive, not negative, or not 0."""

    part: ex.Expression
    argument: ex.Expression
    sign: str  # "> 0", ">= 0", "!= 0"


def definedness_step(target: Target, claim: Claim) -> Step:
    """Return the step "f is defined on the whole domain, for the claimed lengths"; undecided where that is not shown."""
    outputs, n = (target.symbolic, None) if claim.every_n else (target.outputs, target.n)
    found = undefined_part(outputs, target.box.sides, n)
    if found is None:
        parts = len({needed.argument for output in outputs for needed in partial_nodes(output)})
        return Step(ID, _shown(parts), Status.CERTIFIED, says=Defined(TARGET, claim.scope))
    return Step(ID, f"not shown that f is defined on the whole domain: {found}", Status.UNDECIDED)


def _shown(parts: int) -> str:
    """Say why f is defined, so many arguments of its parts having been looked at."""
    if parts == 0:
        return "nothing in f can be undefined: it has no /, log or sqrt"
    if parts == 1:
        return "the argument of /, log or sqrt has the sign it needs"
    return f"all {parts} arguments of /, log or sqrt have the signs they need"


def defined_by(bounded: Step, what: str, scope: Scope) -> Step:
    """Return the step from one that enclosed f, or its slopes, on every box: then each part of f has a value."""
    return Step(ID, what, bounded.status, says=Defined(TARGET, scope), premises=(bounded,))


def undefined_part(outputs: Sequence[ex.Expression], sides: Sides, n: int | None) -> str | None:
    """Return a part of the trees that is not shown to be defined on all of box^n, in words; None where all are.

    Args:
        outputs: trees with n in them as a number, or as a symbol if n is None.
        sides: the domain of a token.
        n: tokens; None for every n >= 2.
    """
    open_ = [needed for needed in dict.fromkeys(one for output in outputs for one in partial_nodes(output))
             if not _by_tree(needed, sides, n) and not shown_by_hulls(needed.argument, needed.sign, sides, n)]
    wrong = next((f"{node} is no rank from 1 to n" for output in outputs for node in output.walk()
                  if isinstance(node, ex.OrderStatistic) and not _is_rank(node.rank, n)), None)
    if wrong or not open_ or _by_sorting(outputs, sides, n):
        return wrong
    return f"{open_[0].argument} {open_[0].sign} in {open_[0].part} (column {open_[0].part.column})"


def with_rounded_roots(target: Target) -> Target:
    """Return f for rounded arithmetic: where u >= 0 is shown, but not by its parts, u**c as max(u, 0)**c.

    mean(y**2) - mean(y)**2 is not negative, and often -1e-17 on equal tokens.
    """
    powers = [(node, power[1]) for output in target.outputs for node in output.walk()
              if (power := ex.fractional_power(node)) is not None and _subtracts(power[1])]
    open_ = {node for node, u in powers if not natural_range(u, target.box.sides, target.n)[0] > 0}
    if not open_ or undefined_part(target.outputs, target.box.sides, target.n) is not None:
        return target
    return replace(target, outputs=tuple(ex.with_bases(output, open_, lambda u: ex.Apply("relu", u, column=u.column))
                                         for output in target.outputs))


def _subtracts(tree: ex.Expression) -> bool:
    for node in tree.walk():
        match node:
            case ex.Binary(operator="-") | ex.Apply(function="neg"):
                return True
    return False


def partial_nodes(tree: ex.Expression) -> Iterator[Needed]:
    """Yield what a tree needs to be defined, innermost first."""
    for node in reversed(list(ex.outside_powers(tree))):
        power = ex.fractional_power(node)
        if power is not None:
            yield Needed(node, power[1], ">= 0")
        match node:
            case ex.Apply(function="log", argument=u):
                yield Needed(node, u, "> 0")
            case ex.Binary(operator="/", right=u):
                yield Needed(node, u, "!= 0")
            case ex.Power(base=u, exponent=exponent):
                k = ex.rational_value(exponent)
                if k is None or k.denominator != 1:
                    raise TypeError(f"{node} must be specialised")
                if k < 0:
                    yield Needed(node, u, "!= 0")


def _is_rank(rank: ex.Expression, n: int | None) -> bool:
    """Say whether a rank is a whole number from 1 to n, for every n >= 2 if n is None."""
    value = ex.rational_value(rank)
    return value is not None and value.denominator == 1 and 1 <= value <= (2 if n is None else n)


def _by_tree(needed: Needed, sides: Sides, n: int | None) -> bool:
    """Decide by interval arithmetic on the tree, or by the signs of its parts."""
    for ends in (natural_range(needed.argument, sides, n), exact_range(needed.argument, sides, n)):
        low, high = (-math.inf, math.inf) if ends is None else ends
        if low > 0 or (needed.sign == ">= 0" and low >= 0) or (needed.sign == "!= 0" and high < 0):
            return True
    return is_positive(needed.argument, sides, n)


def is_positive(node: ex.Expression, sides: Sides, n: int | None) -> bool:
    """Say whether a tree shows by its parts that it is positive, also where its values are smaller than any float."""
    def positive(node: ex.Expression) -> bool:
        return is_positive(node, sides, n)

    if (power := ex.fractional_power(node)) is not None:
        return positive(power[1])
    match node:
        case ex.Number(value=q):
            return q > 0
        case ex.Pi() | ex.Length() | ex.Apply(function="exp" | "sigmoid"):
            return True
        case ex.Apply(function="relu" | "abs", argument=u) | ex.Reduction(body=u):
            return positive(u)
        case ex.Power(base=u):
            return positive(u)
        case ex.Binary(operator="*" | "/" | "minimum", left=u, right=v):
            return positive(u) and positive(v)
        case ex.Binary(operator="+", left=u, right=v):
            return any(positive(a) and natural_range(b, sides, n)[0] >= 0 for a, b in ((u, v), (v, u)))
        case ex.Binary(operator="maximum", left=u, right=v):
            return positive(u) or positive(v)
    return natural_range(node, sides, n)[0] > 0


def _by_sorting(outputs: Sequence[ex.Expression], sides: Sides, n: int | None) -> bool:
    """Cover the sorted sequences of n tokens by boxes on which no part of the trees may be undefined."""
    if n is None or n * len(sides) > MOST_COORDINATES:
        return False
    search = Search.begin(Undefined(tuple(outputs), n, tuple(sides)), Fraction(0))
    while not search.finished and search.judged < MOST_BOXES:
        search.step()
    return search.finished and search.bound == 0


@dataclass(frozen=True, eq=False)
class Undefined(Comparison):
    """On a box, 0 where all parts of the trees are defined, inf where one may not be."""

    outputs: tuple[ex.Expression, ...]
    n: int
    sides: tuple[tuple[Fraction, Fraction], ...]

    @functools.cached_property
    def digest(self) -> str:
        """Identify the trees, the length and the domain: SHA-256."""
        return hashlib.sha256(repr((self.outputs, self.n, self.sides)).encode()).hexdigest()

    @quiet
    def judge(self, batch: Boxes) -> Judged:
        """Walk over the tree on boxes of one case."""
        case, boxes = int(batch.case[0]), batch.bound.size
        variables = [Interval(a, b) for a, b in zip(batch.lower.T.copy(), batch.upper.T.copy(), strict=True)]
        walker = Walker(variables, self.region(case % self.n).chamber, Forking({}, boxes, 0), second=False)
        walker.jet(self.outputs[case // self.n])
        return Judged(np.where(walker.undefined, np.inf, 0.0), np.zeros_like(batch.lower), np.zeros(boxes))
