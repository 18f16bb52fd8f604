"""Two sequences that no decoder tells apart: one continuous feature, n - 1 >= 2 others (mathematics:
one-dimensional-latent-transformer).

(n-1) phi(t) = (n-2) phi(0) + phi(1) has a solution t by the intermediate value theorem; the others {0, .., 0, 1} and {t, .., t}
then give the same Sigma beside the same own token, while 2 (max - min of the others) - 1 is +1 and -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from proofs_check.feature_maps import Enclosure, FeatureMap

BITS = 44


@dataclass(frozen=True)
class Collision:
    """``lower <= t <= upper`` with a certain change of sign between the ends (equal ends: t is exact)."""

    name: str
    n: int
    lower: Fraction
    upper: Fraction
    forced: Fraction

    def brief(self) -> str:
        """Return where t is."""
        return f"phi = {self.name}: {self._place()}"

    def _place(self) -> str:
        width = self.upper - self.lower
        return f"t = {_short(self.lower)}" if not width else f"t in {_short(self.lower)} + [0, {_power(width)}]"

    def lines(self) -> tuple[str, ...]:
        """Return the two sequences and the error they force."""
        n = self.n
        t = self._place() + ("" if self.lower == self.upper else ", by a certain change of sign")
        same = "2 phi(t) = phi(0) + phi(1)" if n == 3 else f"{n - 1} phi(t) = {n - 2} phi(0) + phi(1)"
        zeros, ts = ", ".join(["0"] * (n - 2)), ", ".join(["t"] * (n - 1))
        return (f"phi = {self.name}, n = {n}: {same} at {t}",
                f"X = (x_1, {zeros}, 1) and X' = (x_1, {ts}): the same x_1 and the same Sigma for every x_1",
                f"targets of token 1: +1 and -1, so every psi errs by at least {self.forced} on one of the two")


def find_collision(phi: FeatureMap, n: int) -> Collision | None:
    """Bisect for t; None where no sign is certain, or where the targets do not differ (n = 2)."""
    forced = abs(_target((Fraction(0),) * (n - 2) + (Fraction(1),)) - _target((Fraction(1, 2),) * (n - 1))) / 2
    low, high = Fraction(0), Fraction(1)
    zero, one = phi.at(low), phi.at(high)
    at_low = _gap(phi, low, n, zero, one)
    sign = _sign(at_low)
    if forced == 0 or sign is None:
        return None
    if sign == 0:
        return Collision(phi.name, n, low, low, forced)
    while high - low > Fraction(1, 2**BITS):
        middle, found = _decided_near_middle(phi, low, high, n, zero, one)
        if found is None:
            break
        if found == 0:
            return Collision(phi.name, n, middle, middle, forced)
        low, high = (middle, high) if found == sign else (low, middle)
    return Collision(phi.name, n, *_exact_root(phi, low, high, n, zero, one), forced)


def _target(others: tuple[Fraction, ...]) -> Fraction:
    return 2 * (max(others) - min(others)) - 1


def _gap(phi: FeatureMap, t: Fraction, n: int, zero: Enclosure, one: Enclosure) -> Enclosure:
    """Enclose (n-1) phi(t) - (n-2) phi(0) - phi(1); at the ends the same enclosures cancel exactly."""
    if t in (0, 1):  # (phi(0) - phi(1)) and (n-2)(phi(1) - phi(0))
        (a, b), (c, d), factor = (zero, one, 1) if t == 0 else (one, zero, n - 2)
        return factor * (a - d), factor * (b - c)
    low, high = phi.at(t)
    return (n - 1) * low - (n - 2) * zero[1] - one[1], (n - 1) * high - (n - 2) * zero[0] - one[0]


def _sign(gap: Enclosure) -> int | None:
    low, high = gap
    return 1 if low > 0 else -1 if high < 0 else 0 if low == high == 0 else None


def _decided_near_middle(phi: FeatureMap, low: Fraction, high: Fraction, n: int, zero: Enclosure,
                         one: Enclosure) -> tuple[Fraction, int | None]:
    for part in (4, 3, 5, 2, 6):
        t = low + (high - low) * Fraction(part, 8)
        found = _sign(_gap(phi, t, n, zero, one))
        if found is not None:
            return t, found
    return low, None


def _exact_root(phi: FeatureMap, low: Fraction, high: Fraction, n: int, zero: Enclosure, one: Enclosure) -> Enclosure:
    """Where phi is linear between the ends, the root of the chord is exact."""
    (a, above), (b, beyond) = _gap(phi, low, n, zero, one), _gap(phi, high, n, zero, one)
    if a == above and b == beyond and a != b:
        t = low + (high - low) * a / (a - b)
        if _sign(_gap(phi, t, n, zero, one)) == 0:
            return t, t
    return low, high


def _short(value: Fraction) -> str:
    text, dyadic = str(value), Fraction(float(value)) == value
    if len(text) <= 24:
        return text
    return repr(float(value)) if dyadic else f"{float(value)!r}.. (a fraction of {len(text)} digits)"


def _power(width: Fraction) -> str:
    exponent = width.denominator.bit_length() - 1
    return f"2^-{exponent}" if width == Fraction(1, 2**exponent) else f"{float(width):.3g}"
