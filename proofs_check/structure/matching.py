"""Find one affine form inside another: exact comparison of contents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flint import fmpq

from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.content import Content, affine, expanded
from proofs_check.structure.polynomial import CONSTANT, Polynomial, leading_monomial
from proofs_check.structure.ranges import polynomial_size
from proofs_check.structure.reading import Reading

NEGLIGIBLE = fmpq(1, 2**30)


@dataclass(frozen=True)
class Affine:
    """content = scale * other + shift + e, |e| <= missed."""

    scale: fmpq
    shift: fmpq
    missed: float


def compared(content: Content, other: Content) -> Affine | None:
    """Write a content as an affine function of another one, None where it is not nearly one."""
    leading = leading_monomial(other.main)
    if leading is None or leading not in content.main.terms:
        return None
    scale = content.main.terms[leading] / other.main.terms[leading]
    rest = affine([(content, fmpq(1)), (other, -scale)])
    shift = rest.main.at_zero
    left = Polynomial({m: c for m, c in rest.main.terms.items() if m != CONSTANT})
    if left.l1() > abs(content.main.terms[leading]) * NEGLIGIBLE:
        return None
    missed = polynomial_size(left) + rest.sharp_spread()
    return Affine(scale, shift, missed * ABOVE)


def argument_variable(reading: Reading, argument: Content, candidates: Iterable[str]) -> tuple[str, Affine] | None:
    """Return a variable v and the affine function of it that an argument is: itself a variable, or one that was copied."""
    whole = expanded(argument, reading.definitions)
    if len(whole.main.variables) == 1:
        (name,) = whole.main.variables
        if whole.main.degree(name) == 1:
            return name, Affine(whole.main.terms[((name, 1),)], whole.main.at_zero, whole.sharp_spread())
    for name in candidates:
        if name in reading.copies:
            found = compared(whole, expanded(reading.copies[name], reading.definitions))
            if found is not None:
                return name, found
    return None
