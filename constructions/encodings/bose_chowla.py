"""The Bose-Chowla code: a B_h set, all sums of h = n - 1 elements distinct (Bose and Chowla 1962, theorem 1)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from flint import fmpz, fq_default_ctx

from constructions.encodings.code import Code
from constructions.errors import Refused

MAX_FIELD = 2**24
BLOCK = 2**16  # powers at once


def field_size(cells: int, n: int) -> int:
    """Return q^h for the smallest prime power q >= K, h = n - 1: the code's values are below it."""
    prime, exponent = _prime_power_from(cells)
    return int(prime ** (exponent * (n - 1)))


def bose_chowla(cells: int, n: int) -> Code:
    """Return the discrete logarithms of theta + a, a in GF(q), for a primitive theta of GF(q^h), h = n - 1.

    Two equal h-fold sums would give two different monic polynomials of degree h over GF(q) with equal value at theta, and so
    a non-zero polynomial of degree < h vanishing at theta, which has degree h. For n = 2 take c(z) = z.

    Raises:
        Refused: the field has more than ``MAX_FIELD`` elements, too many to tabulate its logarithms.

    >>> sorted(bose_chowla(3, 3).values.ravel().tolist())
    [1, 2, 7]
    """
    h = n - 1
    if h == 1:
        return Code("bose-chowla", n, np.array([[z] for z in range(cells)], dtype=object))
    if field_size(cells, n) > MAX_FIELD:
        raise Refused(f"the Bose-Chowla code for K = {cells}, n = {n} needs the logarithms of a field of "
                      f"{field_size(cells, n)} elements, at most {MAX_FIELD} are tabulated")
    logarithms = sorted(_shifted_logarithms(*_prime_power_from(max(cells, 2)), h))[:cells]
    return Code("bose-chowla", n, np.array([[value] for value in logarithms], dtype=object))


def _prime_power_from(cells: int) -> tuple[int, int]:
    q = max(cells, 2)
    while True:
        factors = fmpz(q).factor()
        if len(factors) == 1:
            return int(factors[0][0]), int(factors[0][1])
        q += 1


def _shifted_logarithms(p: int, e: int, h: int) -> list[int]:
    """Return log_theta(theta + a) for all a of the subfield GF(p^e) of GF(p^(e h)).

    The powers of theta pass by in blocks, so the field takes a byte an element and not its coordinates.
    """
    degree, q = e * h, p**e
    order = p**degree - 1
    context = fq_default_ctx(p, degree)
    theta = _primitive_element(context, p, degree)
    generator = theta ** (order // (q - 1))  # of the subfield's non-zero elements
    elements = itertools.accumulate(range(q - 2), lambda element, _: element * generator, initial=context(1))
    place = p ** np.arange(degree, dtype=np.int64)
    shifted = np.array([_vector(theta + a, degree) for a in (context(0), *elements)]) @ place
    is_shifted = np.zeros(order + 1, dtype=bool)
    is_shifted[shifted] = True
    found: list[int] = []
    block = _first_powers(context, theta, p, degree, min(BLOCK, order))
    multiply = _times(theta ** len(block), context, degree)
    for start in range(0, order, len(block)):
        codes = block.astype(np.int64) @ place
        found += (start + np.flatnonzero(is_shifted[codes])).tolist()
        block = block @ multiply % p  # products of numbers below p are exact in float64, and several times faster there
    return [logarithm for logarithm in found if logarithm < order]


def _first_powers(context: Any, theta: Any, p: int, degree: int, count: int) -> np.ndarray:
    """Return the coordinates over GF(p) of 1, theta, .., theta^(count - 1), shape (count, degree), by doubling."""
    powers = np.zeros((1, degree))
    powers[0, 0] = 1
    while len(powers) < count:
        powers = np.concatenate([powers, powers @ _times(theta ** len(powers), context, degree) % p])
    return powers[:count]


def _times(element: Any, context: Any, degree: int) -> np.ndarray:
    """Return the matrix that multiplies coordinate vectors by an element: row i is element * z^i."""
    rows = itertools.accumulate(range(degree - 1), lambda row, _: row * context.gen(), initial=element)
    return np.array([_vector(row, degree) for row in rows], dtype=np.float64)


def _primitive_element(context: Any, p: int, degree: int) -> Any:
    """Return the first primitive element in the order of base-p digits, from the generator z on."""
    order = p**degree - 1
    primes = [int(prime) for prime, _ in fmpz(order).factor()]
    for index in itertools.count(p):
        element, power = context(0), context(1)
        while index:
            element, power, index = element + power * (index % p), power * context.gen(), index // p
        if all(element ** (order // prime) != 1 for prime in primes):
            return element


def _vector(element: Any, degree: int) -> list[int]:
    entries = [int(entry) for entry in element.to_list()]
    return entries + [0] * (degree - len(entries))
