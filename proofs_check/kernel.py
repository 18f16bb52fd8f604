"""The kernel: steps, the rules that join them, and the only place where a certificate is made.

A proof is a tree. Its leaves are steps that a checker established, each with a status; its branches are rules, and a rule
computes what it says from its premises, exactly, or refuses. :func:`conclude` runs every rule again. A certificate is an upper
bound of ||f - T|| over the whole domain; no sampled step carries one, and a sampled estimate, a lower bound, is another type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from proofs_check.claims import Claim, SampledEstimate, Status
from proofs_check.decimals import decimal_above
from proofs_check.propositions import (
    SEQUENCE,
    TARGET,
    Defined,
    Evaluated,
    Lipschitz,
    Near,
    Proposition,
    Symmetric,
    Whole,
    evaluated,
)

__all__ = ["CHECKED", "Certificate", "Claim", "Refuted", "SampledEstimate", "Status", "Step", "Undecided", "Unsound", "Verdict",
           "conclude", "decimal_above", "derive", "reached", "sharpened"]
CHECKED = "checked"
_KERNEL = object()


@dataclass(frozen=True)
class Step:
    """One step of a proof: id as in the mathematics, what was shown, how well, and its own share of the bound.

    Attributes:
        says: what it establishes, for the rules; None where it only supports the steps above it.
        premises: steps it rests on.
        rule: how it follows from them; "checked" where a checker established it.
        data: what else the rule needs."""

    id: str
    statement: str
    status: Status
    bound: Fraction = Fraction(0)
    assumption: str = ""
    says: Proposition | None = None
    premises: tuple[Step, ...] = ()
    rule: str = CHECKED
    data: tuple[Any, ...] = ()

    def to_json(self) -> dict[str, str]:
        """Return the step with its bound as an exact fraction."""
        return {"step": self.id, "statement": self.statement, "status": self.status.value, "bound": str(self.bound)}


class Unsound(ValueError):
    """A rule's side condition does not hold."""


def _near(step: Step) -> Near:
    if not isinstance(step.says, Near):
        raise Unsound(f"{step.id or step.rule} bounds no difference")
    return step.says


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise Unsound(reason)


def _triangle(premises: Sequence[Step]) -> Near:
    """||a - b|| <= u, ||b - c|| <= v, on one scope: ||a - c|| <= u + v, for the lengths of both."""
    links = [_near(step) for step in premises]
    _require(bool(links), "nothing to add")
    scope = links[0].scope
    for one, other in pairwise(links):
        _require(one.second == other.first, f"{one.second} is not {other.first}")
        scope = scope.until(other.scope.longest)
        _require(scope == other.scope.until(scope.longest), "bounds on different scopes")
    return Near(links[0].first, links[-1].second, sum((link.bound for link in links), Fraction(0)), scope)


def _composition(premises: Sequence[Step]) -> Near:
    """||X - q(X)|| <= r, g with Lipschitz constant L, on one scope: ||g - g(q)|| <= L r."""
    moved, outer = _near(premises[0]), premises[1].says
    _require(moved.first == SEQUENCE, "the argument is not the sequence")
    if not isinstance(outer, Lipschitz) or outer.scope != moved.scope or outer.constant < 0:
        raise Unsound("no Lipschitz constant on the same scope")
    return Near(outer.function, f"{outer.function}({moved.second})", outer.constant * moved.bound, moved.scope)


def _mean(premises: Sequence[Step]) -> Near:
    """|a - b| <= u for every token: |mean of a - mean of b| <= u, for any number of tokens."""
    (one,) = map(_near, premises)
    _require(one.scope.part == "tokens", "a mean is of functions of tokens")
    return Near(f"mean of {one.first}", f"mean of {one.second}", one.bound, replace(one.scope, part="sequences"))


def _cover(premises: Sequence[Step], cases: int, leaves: Iterable[tuple[int, int, int]]) -> Near:
    """A bound on every box of a bisection, with no box lost: a bound on all of it.

    ``leaves`` are (case, how often bisected, boxes). Each case starts from one box, and a box is replaced by its halves: nothing
    is lost exactly if the 2^-bisections of its leaves add up to 1 (Kraft).
    """
    (one,) = map(_near, premises)
    _require(one.scope.part == "boxes", "a cover is made of boxes")
    held = dict.fromkeys(range(cases), Fraction(0))
    for case, level, boxes in leaves:
        _require(case in held and level >= 0 and boxes >= 0, "a box that belongs to no case")
        held[case] += Fraction(boxes, 2**level)
    lost = [case for case, sum_ in held.items() if sum_ != 1]
    _require(cases > 0 and not lost, f"the boxes of case {(lost or [0])[0]} do not cover it")
    return replace(one, scope=replace(one.scope, part="sequences"))


def _symmetry(premises: Sequence[Step]) -> Near:
    """A bound for descending tokens, of the difference of two functions that permutations commute with: a bound for all."""
    one, symmetric = _near(premises[0]), premises[1:]
    known = {step.says.function for step in symmetric if isinstance(step.says, Symmetric)}
    _require(one.scope.descending and {one.first, one.second} <= known, "no symmetry to reduce by")
    return replace(one, scope=replace(one.scope, descending=False))


def _evaluation(premises: Sequence[Step]) -> Near:
    """||f - T|| <= u, T evaluated within e of T: ||f - T evaluated|| <= u + e, for the lengths of the evaluation."""
    one, rounding = _near(premises[0]), premises[1].says
    if not isinstance(rounding, Evaluated) or one.second not in rounding.networks:
        raise Unsound(f"nothing is known of {one.second} in floating point")
    return Near(one.first, evaluated(one.second), one.bound + rounding.bound, one.scope.until(rounding.longest))


def _monotonicity(premises: Sequence[Step], bound: Fraction) -> Proposition:
    """A bound is a bound if it is larger."""
    (one,) = (step.says for step in premises if isinstance(step.says, Near | Whole))
    _require(bound >= one.bound, "a bound cannot be made smaller")
    return replace(one, bound=bound)


def _conjunction(premises: Sequence[Step], networks: tuple[str, ...], floating_point: bool) -> Whole:
    """f is defined; ||f - T|| <= u_T for each network, over the reals on one scope, and evaluated on its lengths: the largest."""
    found = {near.second: near for near in map(_near, (step for step in premises if not isinstance(step.says, Defined)))}
    scopes = {found[name].scope for name in networks if name in found}
    _require(len(scopes) == 1 and all(near.first == TARGET for near in found.values()), "bounds of different things")
    (scope,) = scopes
    _require(scope.whole and not any(near.scope.empty for near in found.values()), "a bound for some sequences only, or for none")
    _require(any(step.says == Defined(TARGET, scope) for step in premises), "nothing shows that f is defined on the whole domain")
    wanted = {*networks, *(map(evaluated, networks) if floating_point else ())}
    _require(wanted == set(found), f"nothing bounds ||f - {min(wanted - set(found), default='T')}||")
    _require(all(replace(near.scope, longest=None) == scope for near in found.values()), "bounds on different scopes")
    return Whole(networks, max(near.bound for near in found.values()), scope)


RULES: Mapping[str, Callable[..., Proposition]] = {
    "triangle inequality": _triangle, "composition": _composition, "mean of bounded terms": _mean, "subdivision cover": _cover,
    "symmetry reduction": _symmetry, "evaluation": _evaluation, "monotonicity": _monotonicity, "conjunction": _conjunction}


def derive(rule: str, premises: Sequence[Step], *data: Any, id: str = "", statement: str = "") -> Step:
    """Apply a rule; what the step says and its share of the bound are the rule's, exactly.

    Raises:
        Unsound: a side condition does not hold.
    """
    says = RULES[rule](premises, *data)
    bound = getattr(says, "bound", Fraction(0))
    own = {"composition": bound, "monotonicity": bound - getattr(premises[0].says, "bound", Fraction(0))}
    return Step(id, statement, Status.PROVED, own.get(rule, Fraction(0)), "", says, tuple(premises), rule, data)


def _again(step: Step) -> bool:
    """Say whether a derived step is what its rule gives."""
    try:
        return derive(step.rule, step.premises, *step.data, id=step.id, statement=step.statement) == step
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def reached(steps: Iterable[Step]) -> Iterator[Step]:
    """Return the steps and all that they rest on, each once, premises first."""
    seen: set[int] = set()

    def visit(step: Step) -> Iterator[Step]:
        if id(step) not in seen:
            seen.add(id(step))
            for premise in step.premises:
                yield from visit(premise)
            yield step

    for step in steps:
        yield from visit(step)


@dataclass(frozen=True)
class Certificate:
    """A proved upper bound; only :func:`conclude` makes one. ``conclusion`` is the root of its proof."""

    claim: Claim
    proved_bound: Fraction
    status: Status
    conclusion: Step
    assumptions: tuple[str, ...]
    _made_by: object = field(repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self._made_by is not _KERNEL:
            raise TypeError("a certificate is concluded by the kernel from checked steps, never constructed")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that have a name; their shares add up to the bound."""
        return tuple(step for step in reached([self.conclusion]) if step.id)


@dataclass(frozen=True)
class Undecided:
    """No certificate: the steps that are missing, with the best bound the others add up to (None: no finite one)."""

    claim: Claim
    steps: tuple[Step, ...]
    reason: str
    best_bound: Fraction | None


@dataclass(frozen=True)
class Refuted:
    """No certificate: a step of the claim is false."""

    claim: Claim
    steps: tuple[Step, ...]
    reason: str


Verdict = Certificate | Undecided | Refuted


def conclude(claim: Claim, steps: Sequence[Step], trust: Sequence[str], *, floating_point: bool = True) -> Verdict:
    """Compare what the steps prove, exactly, with the claim.

    Args:
        claim: what is to be certified.
        steps: checked and derived steps; among them, or what they rest on, that f is defined, and ||f - T|| <= .. for each T.
        trust: assumptions of the checker itself.
        floating_point: whether the networks as evaluated are claimed too.

    Returns:
        A certificate whose status is that of the weakest step in its proof; ``Refuted`` if a step is; ``Undecided`` if a step is
        undecided, only sampled or not what its rule gives, if a network is not bounded, or by more than the claim.
    """
    lines = tuple(reached(steps))
    named = tuple(step for step in lines if step.id)
    false = [step for step in lines if step.status is Status.REFUTED]
    if false:
        return Refuted(claim, named, f"{false[0].id}: {false[0].statement}")
    weak = [step for step in lines if step.status.rank > Status.ASSUMED.rank]
    if weak:
        return Undecided(claim, named, f"{weak[0].id}: {weak[0].statement}", None)
    forged = [step for step in lines if step.rule != CHECKED and not _again(step)]
    if forged:
        return Undecided(claim, named, f"{forged[0].id}: does not follow by {forged[0].rule}", None)
    goals = {near.second: step for step in lines if isinstance(near := step.says, Near) and near.first == TARGET
             and replace(near.scope, longest=None) == claim.scope}
    wanted = [*claim.networks, *(map(evaluated, claim.networks) if floating_point else ())]
    premises = [step for step in lines if step.says == Defined(TARGET, claim.scope)]
    premises += [goals[name] for name in wanted if name in goals]
    try:
        conclusion = derive("conjunction", premises, claim.networks, floating_point)
    except Unsound as reason:
        return Undecided(claim, named, str(reason), None)
    return _compared(claim, conclusion, trust)


def _compared(claim: Claim, conclusion: Step, trust: Sequence[str]) -> Verdict:
    proof = tuple(reached([conclusion]))
    named = tuple(step for step in proof if step.id)
    total = conclusion.says.bound if isinstance(conclusion.says, Whole) else Fraction(0)
    negative = any(min(step.bound, getattr(step.says, "bound", 0)) < 0 for step in proof)
    if negative or sum((step.bound for step in proof), Fraction(0)) != total:
        return Undecided(claim, named, "the shares of the steps do not add up to what they prove", None)
    if total > claim.bound:
        return Undecided(claim, named, f"the steps add up to {decimal_above(total)}, more than the claimed "
                                       f"{decimal_above(claim.bound)}", total)
    status = max((step.status for step in proof), key=lambda s: s.rank)
    assumptions = tuple(dict.fromkeys([*(step.assumption for step in proof if step.assumption), *trust]))
    return Certificate(claim, total, status, conclusion, assumptions, _made_by=_KERNEL)


def sharpened(certificate: Certificate, digits: int = 6) -> Certificate:
    """Return the certificate of the sharpest claim that its proof gives, rounded up to so many significant decimal digits."""
    bound = min(certificate.claim.bound, Fraction(decimal_above(certificate.proved_bound, digits)))
    quoted = derive("monotonicity", [certificate.conclusion], bound, id="quoted-bound",
                    statement=f"rounded up to {digits} digits")
    conclusion = quoted if quoted.bound else certificate.conclusion
    return replace(certificate, claim=replace(certificate.claim, bound=bound), proved_bound=bound, conclusion=conclusion)
