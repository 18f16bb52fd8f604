"""What a channel holds: a polynomial in known quantities, plus noise.

    value = main + sum_k noise_k eps_k + e,    |eps_k| <= 1,  |e| <= rest,

for every sequence and own token. Each square that the network computes by folds brings one eps of its own; it enters later
polynomials with its own coefficient, so that what cancels in exact arithmetic cancels here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flint import fmpq

from proofs_check.enclosures.sums import ABOVE, above
from proofs_check.structure.polynomial import CONSTANT, ZERO, Monomial, Polynomial, combined
from proofs_check.structure.ranges import polynomial_size, rational_up, total_size

_TINY = 2.0**-1070  # above what a few operations on subnormal numbers lose
ONE = fmpq(1)
NOTHING = Polynomial({})


@dataclass(frozen=True, eq=False)
class Noise:
    """Coefficient of one eps, and a bound of its absolute value that may be far from sharp."""

    polynomial: Polynomial
    bound: float

    def times(self, factor: fmpq) -> Noise:
        """Multiply by a number."""
        return self if factor == ONE else Noise(self.polynomial.times(factor), product_up(self.bound, rational_up(abs(factor))))


@dataclass(frozen=True, eq=False)
class Content:
    """See the module."""

    main: Polynomial
    noise: Mapping[str, Noise] = field(default_factory=dict)
    rest: float = 0.0

    @staticmethod
    def constant(value: fmpq) -> Content:
        """Return a number."""
        return Content(Polynomial.constant(value))

    @functools.cached_property
    def variables(self) -> frozenset[str]:
        """Variables of the main part and of the coefficients of the noise."""
        return self.main.variables.union(*(noise.polynomial.variables for noise in self.noise.values()))

    @property
    def spread(self) -> float:
        """A bound of everything but the main part, not sharp."""
        return (sum(noise.bound for noise in self.noise.values()) + self.rest) * above(len(self.noise))

    def sharp_spread(self) -> float:
        """Bound everything but the main part through the ranges of its coefficients."""
        return self._sharp_spread

    @functools.cached_property
    def _sharp_spread(self) -> float:
        return (total_size([noise.polynomial for noise in self.noise.values()]) + self.rest) * above(len(self.noise))

    def __sub__(self, other: Content) -> Content:
        return affine([(self, fmpq(1)), (other, fmpq(-1))])

    def __mul__(self, other: Content) -> Content:
        """Multiply; products of two noises go to the rest."""
        a = polynomial_size(self.main) if other.noise or other.rest else 0.0
        b = polynomial_size(other.main) if self.noise or self.rest else 0.0
        parts: dict[str, list[tuple[Polynomial, float]]] = {}
        for mine, factor, size in ((self.noise, other.main, b), (other.noise, self.main, a)):
            for name, noise in mine.items():
                parts.setdefault(name, []).append((noise.polynomial * factor, product_up(noise.bound, size)))
        joined = {name: Noise(combined((p, fmpq(1)) for p, _ in found), sum(bound for _, bound in found) * ABOVE)
                  for name, found in parts.items()}
        rest = product_up(a, other.rest) + product_up(b, self.rest) + product_up(self.spread, other.spread)
        return tidy(Content(self.main * other.main, joined, rest * ABOVE))

    def with_noise(self, name: str, factor: fmpq) -> Content:
        """Add a number times a new eps; where several contents share an eps, the signs of its factors matter."""
        if name in self.noise:
            raise ValueError(f"the eps {name!r} is there already")
        if not factor:
            return self
        return Content(self.main, {**self.noise, name: Noise(Polynomial.constant(factor), rational_up(abs(factor)))}, self.rest)

    def renamed(self, names: Mapping[str, str], suffix: str) -> Content:
        """Call variables, and every eps, by other names: the same thing at another token."""
        noise = {name + suffix: Noise(n.polynomial.renamed(names), n.bound) for name, n in self.noise.items()}
        return Content(self.main.renamed(names), noise, self.rest)


def product_up(a: float, b: float) -> float:
    """Bound a product of two numbers >= 0; it is 0 only if one of them is, so that no weight makes up for what underflows."""
    return a * b * ABOVE + _TINY if a and b else 0.0


def dyadic(value: float) -> fmpq:
    """Return the rational number that a float is; raises ValueError or OverflowError for NaN and infinities."""
    p, q = float(value).as_integer_ratio()
    return fmpq(p, q)


def collapsed(content: Content, name: str, below: float) -> Content:
    """Put one eps in the place of the rest, and of each noise that is less than this part of the sum of all bounds."""
    least = below * sum(one.bound for one in content.noise.values())
    kept = {key: one for key, one in content.noise.items() if one.bound > least}
    lost = Content(NOTHING, {key: one for key, one in content.noise.items() if key not in kept}, content.rest)
    return Content(content.main, kept).with_noise(name, dyadic(lost.sharp_spread()))


def squared(content: Content, name: str) -> Content:
    """Return the square of a content without rest; the square of its noise, between 0 and some S^2, is an eps of its own."""
    if content.rest:
        raise ValueError("the rest has no eps")
    spread = content.spread if content.spread < 2.0**-20 else content.sharp_spread()
    size = polynomial_size(content.main) if content.noise else 0.0
    noise = {key: Noise((one.polynomial * content.main).times(fmpq(2)), 2 * product_up(one.bound, size))
             for key, one in content.noise.items()}
    half = dyadic(product_up(spread, spread)) / 2
    main = content.main * content.main + Polynomial.constant(half)
    return tidy(Content(main, noise).with_noise(name, half))


def affine(parts: Iterable[tuple[Content, fmpq]], constant: fmpq = ZERO) -> Content:
    """Return constant + sum of factor * content; the eps of the parts are the same where their names are."""
    kept = [(content, factor) for content, factor in parts if factor]
    if len(kept) == 1 and kept[0][1] == ONE and not constant:
        return kept[0][0]
    main = combined([*((content.main, factor) for content, factor in kept), (Polynomial.constant(constant), ONE)])
    noises: dict[str, list[tuple[Noise, fmpq]]] = {}
    for content, factor in kept:
        for name, noise in content.noise.items():
            noises.setdefault(name, []).append((noise, factor))
    joined = {name: found[0][0].times(found[0][1]) if len(found) == 1 else _sum(found) for name, found in noises.items()}
    rests = [product_up(content.rest, rational_up(abs(factor))) for content, factor in kept if content.rest]
    rest = sum(rests) * above(len(rests))
    return Content(main, {name: n for name, n in joined.items() if n.polynomial.terms}, rest)


def _sum(parts: Sequence[tuple[Noise, fmpq]]) -> Noise:
    bound = sum(product_up(n.bound, rational_up(abs(f))) for n, f in parts) * above(len(parts))
    return Noise(combined((n.polynomial, f) for n, f in parts), bound)


def tidy(content: Content) -> Content:
    """Shorten the coefficients; what is lost goes to the rest."""
    main, lost = content.main.cut()
    noise: dict[str, Noise] = {}
    for name, one in content.noise.items():
        polynomial, missed = one.polynomial.cut()
        lost += missed
        if polynomial.terms:
            noise[name] = one if polynomial is one.polynomial else Noise(polynomial, one.bound)
    return Content(main, noise, (content.rest + rational_up(lost)) * ABOVE if lost else content.rest)


def expanded(content: Content, definitions: Definitions) -> Content:
    """Put the definitions of variables in their place."""
    if not content.variables & definitions.keys():
        return content
    result = _substituted(content.main, definitions)
    noise = dict(result.noise)
    rest = result.rest + content.rest
    for name, one in content.noise.items():
        inner = _substituted(one.polynomial, definitions)
        before = noise.get(name)
        joined = inner.main if before is None else before.polynomial + inner.main
        noise[name] = Noise(joined, one.bound + (0.0 if before is None else before.bound))
        rest += inner.spread
    return Content(result.main, noise, rest * above(len(noise)))


class Definitions(dict[str, Content]):
    """Contents by the name of the variable that stands for them; products of them are formed once.

    What was formed is forgotten where a name is given a second time.
    """

    def __init__(self, contents: Mapping[str, Content] | None = None) -> None:
        super().__init__(contents or {})
        self._products: dict[Monomial, Content] = {}

    def __setitem__(self, name: str, content: Content) -> None:
        if name in self:
            self._products.clear()
        super().__setitem__(name, content)

    def below(self, names: Iterable[str]) -> frozenset[str]:
        """Return the variables that are left where these are defined."""
        return frozenset().union(*(self[name].variables if name in self else {name} for name in names))

    def product(self, monomial: Monomial) -> Content:
        """Return a product of powers of the variables, at least one."""
        (name, exponent), *others = monomial
        if len(monomial) == exponent == 1:
            return self[name]
        if monomial not in self._products:
            lower = ((name, exponent - 1), *others) if exponent > 1 else tuple(others)
            self._products[monomial] = self.product(lower) * self[name]
        return self._products[monomial]


def multiplied_out(polynomial: Polynomial, definitions: Definitions) -> Polynomial:
    """Put the definitions of variables in their place, their noise left out."""
    return combined((content.main, factor) for content, factor in _terms(polynomial, definitions))


def _substituted(polynomial: Polynomial, definitions: Definitions) -> Content:
    return affine(_terms(polynomial, definitions))


def _terms(polynomial: Polynomial, definitions: Definitions) -> list[tuple[Content, fmpq]]:
    if not polynomial.variables & definitions.keys():
        return [(Content(polynomial), ONE)]
    total: list[tuple[Content, fmpq]] = []
    for outer, inner in polynomial.by(definitions).items():
        if not outer:
            total.append((Content(inner), ONE))
        elif inner.terms.keys() == {CONSTANT}:  # a number times a product: nothing to multiply out
            total.append((definitions.product(outer), inner.at_zero))
        else:
            total.append((Content(inner) * definitions.product(outer), ONE))
    return total
