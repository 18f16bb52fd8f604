"""The continuous proof of the paper, exact: polynomial targets as psi(x, power sums), rational coefficients
(mathematics: semi-invariant-form, power-sums-generate).

A :class:`Form` is a polynomial in the own token x and in the power sums p_b = sum_k x_k^b of *all* tokens, or, sharpened, of
the n - 1 others with |b| <= n - 1 only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TypeVar

from flint import Ordering, fmpq, fmpq_mpoly_ctx

from constructions.encodings.power_sums import Index
from constructions.errors import Refused
from constructions.pieces.polynomials import fraction
from constructions.targets import expression as ex
from constructions.targets.target import Target

K = TypeVar("K")
L = TypeVar("L", bound=Sized)
Powers = tuple[Index, ...]  # a product of power sums, sorted, with repetition
MAX_TERMS = 20_000


@dataclass(frozen=True)
class Form:
    """sum of coefficient * x^a * product of p_b; ``others`` says whose power sums these are: all tokens' or the others'."""

    terms: Mapping[tuple[Index, Powers], Fraction]
    others: bool = False

    @property
    def latent(self) -> set[Index]:
        """The power sums that occur."""
        return {b for _, powers in self.terms for b in powers}

    @property
    def degree(self) -> int:
        """Largest |b| of a power sum that occurs."""
        return max((sum(b) for b in self.latent), default=0)

    def __call__(self, tokens: Sequence[Sequence[Fraction]], own: int) -> Fraction:
        """Evaluate exactly on a sequence of tokens."""
        used = [token for k, token in enumerate(tokens) if not (self.others and k == own)]
        sums = {b: sum((_monomial(token, b) for token in used), Fraction(0)) for b in self.latent}
        total = Fraction(0)
        for (a, powers), c in self.terms.items():
            total += c * _monomial(tokens[own], a) * math.prod((sums[b] for b in powers), start=Fraction(1))
        return total


def polynomial_form(target: Target) -> tuple[Form, ...]:
    """Write every output as a polynomial in x and power sums of all tokens.

    Raises:
        Refused: an output is not a polynomial, with the sub-expression, or has too many terms.
    """
    return tuple(Form(_without_y(_expand(output, target.n, target.d), target.n)) for output in target.outputs)


def sharpened(form: Form, n: int, d: int) -> Form:
    """Rewrite with the power sums of the others, |b| <= n - 1: an equal function on sequences of n tokens.

    p_b(all) = p_b(others) + x^b, and on m = n - 1 tokens the sum over set partitions of {1, .., m+1} of the product over blocks
    B of (-1)^(|B|-1) (|B|-1)! p(prod of u_j, j in B) vanishes, because no m + 1 distinct indices exist; it is solved for the
    one-block term (Briand 2004; mathematics: power-sums-generate).
    """
    total: dict[tuple[Index, Powers], Fraction] = {}
    for (a, powers), c in form.terms.items():
        product: dict[tuple[Index, Powers], Fraction] = {(a, ()): c}
        for b in powers:
            factor = {((0,) * d, p): q for p, q in _reduced(b, n - 1, d).items()}
            if not form.others:
                factor[b, ()] = factor.get((b, ()), Fraction(0)) + 1
            product = _times(product, factor)
        total = _plus(total, product)
    return Form(total, others=True)


def as_expression(form: Form, n: int) -> ex.Expression:
    """Return a form in power sums of all tokens as an expression, p_b = n mean(y^b)."""
    total: ex.Expression | None = None
    for (a, powers), c in sorted(form.terms.items()):
        factors: list[ex.Expression] = [ex.Number(c * n ** len(powers))]
        factors += [_power(ex.Own(v), k) for v, k in enumerate(a) if k]
        for b in powers:
            body = ex.joined("*", [_power(ex.Other(v), k) for v, k in enumerate(b) if k])
            factors.append(ex.Reduction("mean", body))
        part = ex.joined("*", factors)
        total = part if total is None else ex.Binary("+", total, part)
    return total if total is not None else ex.Number(Fraction(0))


@cache
def _reduced(b: Index, m: int, d: int) -> dict[Powers, Fraction]:
    """Return p_b on m tokens through power sums of degree at most m."""
    if sum(b) <= m:
        return {(b,): Fraction(1)}
    parts = list(_factors(b, m + 1))
    total: dict[Powers, Fraction] = {}
    for partition in partitions(list(range(m + 1))):
        if len(partition) == 1:
            continue
        product: dict[Powers, Fraction] = {(): Fraction(1)}
        for block in partition:
            sign = Fraction((-1) ** (len(block) - 1) * math.factorial(len(block) - 1))
            exponents = tuple(sum(parts[j][v] for j in block) for v in range(d))
            inner = _reduced(exponents, m, d)
            product = _combine(product, {p: q * sign for p, q in inner.items()}, lambda p, q: tuple(sorted(p + q)))
        total = _plus(total, product)
    leading = Fraction((-1) ** m * math.factorial(m))
    return {p: -q / leading for p, q in total.items()}


def _factors(b: Index, count: int) -> Iterator[Index]:
    """Split x^b into so many non-constant monomials: single variables, and one rest."""
    left = list(b)
    for _ in range(count - 1):
        v = next(v for v, k in enumerate(left) if k)
        left[v] -= 1
        yield tuple(int(w == v) for w in range(len(b)))
    yield tuple(left)


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    """Yield all set partitions."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in partitions(rest):
        yield [[first], *partition]
        for k, block in enumerate(partition):
            yield [*partition[:k], [first, *block], *partition[k + 1:]]


Key = tuple[Index, Index, Powers]  # exponents of x, of y, and power sums
Expanded = dict[Key, Fraction]


def _expand(node: ex.Expression, n: int, d: int) -> Expanded:
    none = (0,) * d
    match node:
        case ex.Number(value=value):
            return {(none, none, ()): value} if value else {}
        case ex.Length():
            return {(none, none, ()): Fraction(n)}
        case ex.Own(coordinate=c):
            return {(_unit(c, d), none, ()): Fraction(1)}
        case ex.Other(coordinate=c):
            return {(none, _unit(c, d), ()): Fraction(1)}
        case ex.Apply(function="neg", argument=argument):
            return {key: -c for key, c in _expand(argument, n, d).items()}
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            sign = 1 if operator == "+" else -1
            return _plus(_expand(left, n, d), {key: sign * c for key, c in _expand(right, n, d).items()})
        case ex.Binary(operator="*", left=left, right=right):
            return _limited(_multiplied(_expand(left, n, d), _expand(right, n, d)), node)
        case ex.Binary(operator="/", left=left, right=right):
            divisor = _expand(right, n, d)
            if set(divisor) == {(none, none, ())}:
                return {key: c / divisor[none, none, ()] for key, c in _expand(left, n, d).items()}
        case ex.Power(base=base, exponent=ex.Number(value=k)) if k >= 0 and k.denominator == 1 and k <= 64:
            return _to_power(_expand(base, n, d), int(k), node, d)
        case ex.Reduction(kind="sum" | "mean" as kind, body=body):
            inner = _expand(body, n, d)
            summed: Expanded = {}
            for (a, b, powers), coefficient in inner.items():
                key: Key = (a, none, tuple(sorted((*powers, b))) if any(b) else powers)
                weight = Fraction(1 if any(b) else n, n if kind == "mean" else 1)
                summed[key] = summed.get(key, Fraction(0)) + coefficient * weight
            return {term: value for term, value in summed.items() if value}
    raise Refused(f"{node} (column {node.column}) is not a polynomial with rational coefficients")


def _without_y(expanded: Expanded, n: int) -> dict[tuple[Index, Powers], Fraction]:
    return {(a, powers): c for (a, _, powers), c in expanded.items()}


def _multiplied(left: Expanded, right: Expanded) -> Expanded:
    return _combine(left, right, lambda p, q: (_added(p[0], q[0]), _added(p[1], q[1]), tuple(sorted(p[2] + q[2]))))


def _to_power(expanded: Expanded, k: int, node: ex.Expression, d: int) -> Expanded:
    """Multiply k times in flint, whose polynomials are many times faster than dictionaries.

    The variables are the coordinates of x, those of y, and the power sums that occur.
    """
    sums = sorted({b for _, _, powers in expanded for b in powers})
    context = fmpq_mpoly_ctx.get([f"v{place}" for place in range(2 * d + len(sums))], Ordering.lex)
    base = context.from_dict({(*a, *b, *(powers.count(index) for index in sums)): fmpq(c.numerator, c.denominator)
                              for (a, b, powers), c in expanded.items()})
    power = context.constant(1)
    for _ in range(k):
        power *= base
        _limited(power, node)
    found: Expanded = {}
    for monomial, c in power.to_dict().items():
        exponents = tuple(map(int, monomial))
        counts = zip(sums, exponents[2 * d:], strict=True)
        powers = tuple(index for index, count in counts for _ in range(count))
        found[exponents[:d], exponents[d:2 * d], powers] = fraction(c)
    return found


def _times(left: dict[tuple[Index, Powers], Fraction], right: Mapping[tuple[Index, Powers], Fraction]
           ) -> dict[tuple[Index, Powers], Fraction]:
    return _combine(left, right, lambda p, q: (_added(p[0], q[0]), tuple(sorted(p[1] + q[1]))))


def _combine(left: Mapping[K, Fraction], right: Mapping[K, Fraction], merge: Callable[[K, K], K]) -> dict[K, Fraction]:
    total: dict[K, Fraction] = {}
    for (p, u), (q, v) in itertools.product(left.items(), right.items()):
        key = merge(p, q)
        total[key] = total.get(key, Fraction(0)) + u * v
    return {key: c for key, c in total.items() if c}


def _plus(left: Mapping[K, Fraction], right: Mapping[K, Fraction]) -> dict[K, Fraction]:
    total = dict(left)
    for key, c in right.items():
        total[key] = total.get(key, Fraction(0)) + c
    return {key: c for key, c in total.items() if c}


def _limited(expanded: L, node: ex.Expression) -> L:
    if len(expanded) > MAX_TERMS:
        raise Refused(f"{node} (column {node.column}) has more than {MAX_TERMS} terms when it is expanded")
    return expanded


def _monomial(token: Sequence[Fraction], a: Index) -> Fraction:
    return math.prod((Fraction(x) ** k for x, k in zip(token, a, strict=True)), start=Fraction(1))


def _added(a: Index, b: Index) -> Index:
    return tuple(u + v for u, v in zip(a, b, strict=True))


def _unit(c: int, d: int) -> Index:
    return tuple(int(v == c) for v in range(d))


def _power(base: ex.Expression, k: int) -> ex.Expression:
    return base if k == 1 else ex.Power(base, ex.Number(Fraction(k)))

