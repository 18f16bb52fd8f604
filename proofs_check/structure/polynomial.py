"""Sparse polynomials with rational coefficients in named variables, each of which stands for a number in [-1, 1]."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flint import fmpq, fmpq_poly, fmpz

Monomial = tuple[tuple[str, int], ...]  # (variable, exponent > 0), sorted by variable
CONSTANT: Monomial = ()
ZERO = fmpq(0)
BITS = 256  # coefficients are cut to multiples of 2^-BITS
UNIT = fmpq(1, fmpz(2) ** BITS)
DUST = fmpq(1, fmpz(2) ** (BITS - 56))


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A sum of coefficient * monomial; no coefficient is 0.

    >>> x = Polynomial.variable("x")
    >>> ((x + Polynomial.constant(fmpq(1))) * x).terms == {(("x", 2),): 1, (("x", 1),): 1}
    True
    """

    terms: Mapping[Monomial, fmpq]

    @staticmethod
    def constant(value: fmpq) -> Polynomial:
        """Return a number."""
        return Polynomial({CONSTANT: value} if value else {})

    @staticmethod
    def variable(name: str) -> Polynomial:
        """Return one variable."""
        return Polynomial({((name, 1),): fmpq(1)})

    @functools.cached_property
    def variables(self) -> frozenset[str]:
        """The variables that occur."""
        return frozenset(name for monomial in self.terms for name, _ in monomial)

    @property
    def at_zero(self) -> fmpq:
        """The constant term."""
        return self.terms.get(CONSTANT, ZERO)

    def degree(self, name: str) -> int:
        """Return the degree in one variable."""
        return max((exponent for monomial in self.terms for variable, exponent in monomial if variable == name), default=0)

    def __add__(self, other: Polynomial) -> Polynomial:
        return combined([(self, fmpq(1)), (other, fmpq(1))])

    def __sub__(self, other: Polynomial) -> Polynomial:
        return combined([(self, fmpq(1)), (other, fmpq(-1))])

    def times(self, factor: fmpq) -> Polynomial:
        """Multiply by a number."""
        return Polynomial({m: c * factor for m, c in self.terms.items()} if factor else {})

    def __mul__(self, other: Polynomial) -> Polynomial:
        names = self.variables | other.variables
        if len(names) == 1:
            (name,) = names
            return _from_dense(name, self.dense(name) * other.dense(name))
        product: dict[Monomial, fmpq] = {}
        for a, c in self.terms.items():
            for b, e in other.terms.items():
                key = _merged(a, b)
                product[key] = product.get(key, ZERO) + c * e
        return Polynomial({m: c for m, c in product.items() if c})

    def dense(self, name: str) -> fmpq_poly:
        """Return a polynomial in one variable alone as a dense one."""
        coefficients = [ZERO] * (self.degree(name) + 1)
        for monomial, c in self.terms.items():
            coefficients[monomial[0][1] if monomial else 0] = c
        return fmpq_poly(coefficients)

    def l1(self) -> fmpq:
        """Return the sum of absolute coefficients, a bound of the absolute value."""
        return sum((abs(c) for c in self.terms.values()), ZERO)

    def cut(self) -> tuple[Polynomial, fmpq]:
        """Return a polynomial with shorter coefficients and without those that are dust, and a bound of the difference.

        Dust is what cutting left of terms that cancel exactly: left in place, every square would double its degree.
        """
        if all(c.q.bit_length() <= BITS + 1 and abs(c) > DUST for c in self.terms.values()):
            return self, ZERO
        short, lost = dict[Monomial, fmpq](), ZERO
        for monomial, c in self.terms.items():
            if abs(c) <= DUST:
                lost += abs(c)
            elif c.q.bit_length() <= BITS + 1:
                short[monomial] = c
            else:
                short[monomial] = fmpq((c / UNIT).floor()) * UNIT
                lost += UNIT
        return Polynomial(short), lost

    def renamed(self, names: Mapping[str, str]) -> Polynomial:
        """Call variables by other names, no two by one name (ValueError)."""
        terms = {tuple(sorted((names.get(name, name), exponent) for name, exponent in m)): c for m, c in self.terms.items()}
        if len({names.get(name, name) for name in self.variables}) < len(self.variables):
            raise ValueError("two variables are called by one name")
        return Polynomial(terms)

    def substituted(self, values: Mapping[str, Polynomial]) -> Polynomial:
        """Put polynomials in the place of variables."""
        if not self.variables & values.keys():
            return self
        parts = []
        for monomial, c in self.terms.items():
            kept = tuple(power for power in monomial if power[0] not in values)
            part = Polynomial({kept: c})
            for name, exponent in monomial:
                if name in values:
                    for _ in range(exponent):
                        part = part * values[name]
            parts.append((part, fmpq(1)))
        return combined(parts)

    def paired(self, a: str, b: str, product: Polynomial) -> Polynomial:
        """Put a polynomial in the place of a * b, as often as the two occur together."""
        result = self
        while True:
            both = {m: c for m, c in result.terms.items() if {a, b} <= {name for name, _ in m}}
            if not both:
                return result
            apart = Polynomial({m: c for m, c in result.terms.items() if m not in both})
            lower = {tuple((name, e - (name in (a, b))) for name, e in m if e > (name in (a, b))): c for m, c in both.items()}
            result = apart + Polynomial(lower) * product

    def by(self, names: Iterable[str]) -> dict[Monomial, Polynomial]:
        """Return it as a polynomial in some variables: coefficients, in the others, of each of their monomials."""
        chosen, found = set(names), dict[Monomial, dict[Monomial, fmpq]]()
        for monomial, c in self.terms.items():
            outer = tuple(power for power in monomial if power[0] in chosen)
            inner = tuple(power for power in monomial if power[0] not in chosen)
            found.setdefault(outer, {})[inner] = c
        return {outer: Polynomial(inner) for outer, inner in found.items()}


def combined(parts: Iterable[tuple[Polynomial, fmpq]]) -> Polynomial:
    """Return the sum of factor * polynomial."""
    total: dict[Monomial, fmpq] = {}
    for polynomial, factor in parts:
        if factor:
            for monomial, c in polynomial.terms.items():
                total[monomial] = total.get(monomial, ZERO) + c * factor
    return Polynomial({m: c for m, c in total.items() if c})


def leading_monomial(polynomial: Polynomial) -> Monomial | None:
    """Return the monomial, not constant, with the largest coefficient."""
    return max((m for m in polynomial.terms if m != CONSTANT), key=lambda m: abs(polynomial.terms[m]), default=None)


def _merged(a: Monomial, b: Monomial) -> Monomial:
    if not a or not b:
        return a or b
    powers = dict(a)
    for name, exponent in b:
        powers[name] = powers.get(name, 0) + exponent
    return tuple(sorted(powers.items()))


def _from_dense(name: str, polynomial: fmpq_poly) -> Polynomial:
    return Polynomial({((name, k),) if k else CONSTANT: c for k, c in enumerate(polynomial.coeffs()) if c})
