"""One rule for each kind of quantity: from what its channels hold, and what is known of its arguments, to its range and error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.averages import natural_range
from proofs_check.structure.content import Content
from proofs_check.structure.derivation import Entry, Form
from proofs_check.structure.deviation import NotAnalytic
from proofs_check.structure.exponential_average import exponential_average
from proofs_check.structure.extremum import soft_extremum
from proofs_check.structure.function_rules import function, rectified
from proofs_check.structure.interpolated import interpolated_kernel
from proofs_check.structure.mean_rules import kernel, mean
from proofs_check.structure.order import order_statistic
from proofs_check.structure.premises import Premises, with_other
from proofs_check.structure.quantity import Combination, Quantity, combination, common, magnitude
from proofs_check.structure.quotient_rules import Quotients, Ratio, product
from proofs_check.structure.reading import NotUnderstood, Reading


class Rules:
    """The rules, with what they look at."""

    def __init__(self, reading: Reading, known: Mapping[str, Quantity], n: int | None, fine: float) -> None:
        self.given = Premises(reading, known, n, fine)
        self.quotients = Quotients(self.given)

    def prove(self, entry: Entry, held: Content) -> Quantity:
        """Return what holds for a quantity whose channels hold the given content.

        Raises:
            NotUnderstood: the content is not what the entry says, or is outside what is compared here.
        """
        of = [combination(form, self.given.known, self.given.reading) for form in entry.of]
        if entry.kind in FOLLOWED:
            of = [narrowed(argument, self.given.reading) for argument in of]
        try:
            if entry.kind == "quotient":
                return self.quotients.quotient(entry, held, of)
            if entry.kind not in RULES or (entry.kind in REAL_ONLY and self.given.reading.roundings is not None):
                raise NotUnderstood(f"quantities of kind {entry.kind}")
            return RULES[entry.kind](self.given, entry, held, of)
        except NotAnalytic as reason:
            raise NotUnderstood(str(reason)) from None

    def ratios(self, entry: Entry) -> Ratio:
        """Return what is known of a quotient in parts, as soon as its arguments and a reciprocal are."""
        return self.quotients.ratios(entry)


def renamed(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """The same number; where an expression for it is named, its range as well (the identity is proved at the end)."""
    (argument,) = of
    gap = given.gap(held, argument.content)
    exact = argument.exact
    if entry.tree is not None:
        exact = common(exact, Interval.of(*natural_range(entry.tree, given.reading.sides, given.n)))
    if given.n is not None and entry.of[0].rational:
        exact = common(exact, own_and_others(entry.of[0], given.known, given.n))
    return Quantity(exact, argument.error + gap, argument.definition, entry.held, None,
                    argument.relative if not magnitude(gap) else None, argument.parts)


def own_and_others(form: Form, known: Mapping[str, Quantity], n: int) -> Interval:
    """Enclose a form of n tokens with rational coefficients.

    mean(q) = q/n + (n - 1)/n of the mean of the others, which may be anything in q's range.
    """
    own, others = dict(form.terms), dict[str, Fraction]()
    for averaged, c in form.terms.items():
        of = known[averaged].definition
        name = next((name for name in form.terms if of == ex.Reduction("mean", with_other(known[name].definition))), None)
        if name is not None:
            own[averaged] -= c
            own[name] += c / n
            others[name] = others.get(name, Fraction(0)) + c * Fraction(n - 1, n)
    total = Interval.constant(form.constant)
    for factors in (own, others):
        for name, c in factors.items():
            if c:
                total = total + Interval.constant(c) * known[name].exact
    return total


def narrowed(argument: Combination, reading: Reading) -> Combination:
    """Add what the channels show of the range: terms of a form that follow the same number do not range on their own."""
    actual = common(argument.actual, Interval.of(*reading.range(argument.content)))
    return replace(argument, actual=actual, exact=common(argument.exact, actual - argument.error))


# Kinds whose error depends on where their argument is.
FOLLOWED = ("function", "rectified", "interpolated-kernel", "order-statistic", "soft-extremum", "exponential-average")
# Kinds that read units one by one, over the reals.
REAL_ONLY = ("interpolated-kernel", "order-statistic", "soft-extremum")
RULES: dict[str, Callable[[Premises, Entry, Content, list[Combination]], Quantity]] = {
    "function": function, "rectified": rectified, "product": product, "mean": mean, "kernel": kernel,
    "interpolated-kernel": interpolated_kernel, "order-statistic": order_statistic, "soft-extremum": soft_extremum,
    "exponential-average": exponential_average, "renamed": renamed}
