"""Products and quotients of two forms: the errors of both through p q and p/q, what they have in common counted once."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.averages import quotient_range
from proofs_check.structure.content import Content, affine
from proofs_check.structure.derivation import Entry, Form
from proofs_check.structure.deviation import NotAnalytic
from proofs_check.structure.functions import value_range
from proofs_check.structure.premises import FOLDS, ONE, Premises, ends, with_other
from proofs_check.structure.quantity import (
    Combination,
    Quantity,
    combination,
    common,
    magnitude,
    merged,
    scaled,
    shared,
    stacked,
    whole,
)
from proofs_check.structure.ratio import Joint, MeanOfKernel, joint_errors, relative_error
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational

PARTS = 24  # of the range of a divisor
QUOTIENT_PARTS = 16  # of the range of a quotient of means of kernels


def product(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """|p' q' - p q| with p' = p + e_p, q' = q + e_q is |p e_q + q e_p + e_p e_q|."""
    p, q = of
    own = given.gap(held, _times(p, q))
    passed = p.exact * q.error + q.exact * p.error + p.error * q.error
    parts = merged({FOLDS: magnitude(own)}, scaled(p.parts, magnitude(q.exact)), scaled(q.parts, magnitude(p.exact)))
    return Quantity(p.exact * q.exact, own + passed, ex.Binary("*", p.definition, q.definition), entry.held, own, None, parts)


def _times(p: Combination, q: Combination) -> Content:
    return p.content * q.content  # not expanded: what the product and its factors share cancels


@dataclass(frozen=True)
class Ratio:
    """p/q, p'/q' - p/q, r' q' - 1 and r' - 1/q' for the reciprocal r' that the network holds.

    Arrays: one row for each part of the range of q', one column for each part of that of p/q; together they cover both.
    """

    exact: Interval
    passed: Interval
    off: Interval
    local: Interval

    def plain(self, p: Interval) -> Interval:
        """Enclose p' r' - p/q."""
        return shared(p * self.local, (self.exact + self.passed) * self.off) + self.passed

    def refined(self, c: Fraction) -> Interval:
        """Enclose c p' r' (2 - q' r') - p/q = c (p'/q') (1 - off^2) - p/q."""
        kept = Interval.constant(c) * (ONE - self.off**2)
        return self.passed * kept + self.exact * (kept - ONE)


@dataclass(eq=False)
class Quotients:
    """Quotients, each of which is asked for more than once; what two means of kernels have in common is found once."""

    given: Premises
    joints: dict[str, tuple[list[tuple[Interval, Joint | None]], Interval | None]] = field(default_factory=dict)

    def quotient(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """F = p/q and F' = p'/q'; with r' = (1 + lambda)/q' the network forms F' (1 + lambda), or c F' (1 - lambda^2)."""
        (p, q), r = of, self.given.known[entry.reciprocal]
        ratio, single = self.ratios(entry), self._single(entry.reciprocal)
        wanted = _times(p, single)
        if entry.refined:
            twice = affine([(Content.constant(fmpq(2)), fmpq(1)), (q.content * single.content, fmpq(-1))])
            wanted = Content.constant(rational(entry.refined)) * wanted * twice
        own, exact = self.given.gap(held, wanted), whole(ratio.exact)
        error = own + whole(ratio.refined(entry.refined) if entry.refined else ratio.plain(p.actual))
        least = 1 / max(float(q.actual.mignitude()), 1e-300)
        local = {key: value for key, value in r.parts.items() if key not in q.parts}
        rough = magnitude(ratio.off) if entry.refined else 1.0  # it counts squared
        parts = merged({FOLDS: magnitude(own)}, scaled(local, magnitude(p.actual) * rough), scaled(p.parts, least),
                       scaled(q.parts, magnitude(exact) * least))
        return Quantity(exact, error, ex.Binary("/", p.definition, q.definition), entry.held, None, None, parts)

    def ratios(self, entry: Entry) -> Ratio:
        """Return what is known of p/q, of p'/q' - p/q and of r' q' - 1, for parts of the ranges of p/q and q' that cover them."""
        p, q = (combination(form, self.given.known, self.given.reading) for form in entry.of)
        r = self.given.known[entry.reciprocal]
        # 1/u as a function of u: a number that equals 1/q may be held however far q' is from q
        if r.local is None or r.form != entry.of[1] or r.function != ex.Power(ex.Own(0), ex.Number(Fraction(-1))):
            raise NotUnderstood(f"{entry.reciprocal} is not the reciprocal of the denominator")
        of_tokens = {with_other(one.definition): one.exact for one in self.given.known.values()}
        averaged = quotient_range(p.definition, q.definition, self.given.reading.sides, of_tokens)
        exact = common(p.exact / q.exact, Interval.of(*averaged))
        exact = common(exact, self._pointwise(entry))
        low, high = ends(q.actual)
        if not low > 0:
            return Ratio(exact, (p.error - exact * q.error) / q.actual, q.actual * r.local, r.local)
        joints, below = self._joint(entry, exact)
        cuts = np.array([low, *np.geomspace(low, high, PARTS + 1)[1:-1], high])
        part, local = Interval.of(cuts[:-1], np.maximum(cuts[1:], cuts[:-1])), r.local
        if r.local_at is not None:
            local_at = [r.local_at(float(a), float(b)) for a, b in zip(part.lower, part.upper, strict=True)]
            local = shared(stacked(local_at)[:, None], local)  # no q' is in a part where they are disjoint
        part = part[:, None]
        off = part * local if r.local_relative is None else shared(part * local, r.local_relative)
        value = stacked([one for one, _ in joints])
        passed = (p.error - value * q.error) / part
        known = [joint for _, joint in joints if joint is not None]
        if below is not None and known:
            absolute = np.array([joint.absolute for joint in known])
            together = stacked([joint.relative for joint in known]) / (ONE + below) + Interval.of(-absolute, absolute) / part
            passed = shared(passed, together)
        return Ratio(value, passed, off, local)

    def _pointwise(self, entry: Entry) -> Interval:
        """Enclose mean K_p / mean K_q with K_q > 0, an average of K_p / K_q with the weights K_q; else the whole line."""
        p, q = (self._mean_of_kernel(form) for form in entry.of)
        if p is None or q is None or not p.beside(q):
            return Interval.of(-math.inf, math.inf)
        sides = [ends(scale.interval()) for scale in q.box]
        if not value_range(q.K, sides)[0] > 0:
            return Interval.of(-math.inf, math.inf)
        return Interval.of(*value_range(ex.Binary("/", p.K, q.K), sides))

    def _joint(self, entry: Entry, exact: Interval) -> tuple[list[tuple[Interval, Joint | None]], Interval | None]:
        """Return parts of the quotient's range, what is known of the errors of both means in each, and of the divisor's."""
        p, q = (self._mean_of_kernel(form) for form in entry.of)
        if p is None or q is None or not p.beside(q):
            return [(exact, None)], None
        if entry.name not in self.joints:
            try:
                below = relative_error(q)
            except NotAnalytic:  # no positive weight
                return [(exact, None)], None
            cuts = np.linspace(*ends(exact), QUOTIENT_PARTS + 1)
            parts = [(float(a), float(b)) for a, b in itertools.pairwise(cuts)]
            joints = zip(parts, joint_errors(p, q, parts), strict=True)
            self.joints[entry.name] = [(Interval.of(*part), one) for part, one in joints], below
        return self.joints[entry.name]

    def _mean_of_kernel(self, form: Form) -> MeanOfKernel | None:
        """Return what is averaged where a form is a multiple of one mean of a kernel and a number."""
        if not form.rational or len(form.terms) != 1:
            return None
        ((name, c),) = form.terms.items()
        kernel = self.given.known[name].kernel
        return None if kernel is None else kernel.followed(c, form.constant)

    def _single(self, name: str) -> Combination:
        return combination(Form({name: Fraction(1)}), self.given.known, self.given.reading)
