"""The deep square: fold the line m times, add what the folds measure (mathematics: square-sawtooth, Yarotsky 2017).

W_0 = u + 1 lies in [0, 2]. Each fold reflects the upper half onto the lower one,

    r_s = relu(W_s - 2^-s),    W_{s+1} = W_s - 2 r_s  in [0, 2^-s],

and with G_s = (W_s - 2^-s)^2 one has G_0 = u^2 and G_s = G_{s+1} - 2^-s W_{s+1} + (3/4) 4^-s. Since 0 <= G_m <= 4^-m, putting
4^-m / 2 in its place gives, with W_{s+1} = W_0 - 2 (r_0 + .. + r_s),

    u^2 = alpha W_0 + sum_s beta_s r_s + gamma + error,   |error| <= 4^-m / 2, both signs attained,
    alpha = -(2 - 2^{1-m}),  beta_s = 4 (2^-s - 2^-m),  gamma = 1 - 4^-m / 2.

Two channels of the residual stream hold W (folded in place, so nothing is carried) and the sum: 4 m + 2 parameters and the
coefficients of the form u, against 3 * 2^m for a table with as many pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from constructions.network.wiring import Wiring
from constructions.pieces.forms import Placed

COST_PER_FOLD = 4


@dataclass(eq=False)
class Square:
    """(form / half)^2 to within 4^-folds / 2; how many folds is decided when the tolerance is distributed.

    Attributes:
        weight: bound of the derivative of the target with respect to this square's value, for distributing the tolerance.
        folds: m >= 0; with 0 folds the square is the constant 1/2.
        half: bound of |form|, set by the error analysis before the weights are written.
        product: what two squares of one product have in common; None for any other square.
    """

    weight: float = 0.0
    folds: int = 1
    half: float = 1.0
    product: object = None

    @property
    def error(self) -> float:
        """4^-m / 2, exact."""
        return 0.5 * 0.25**self.folds

    @property
    def cost(self) -> int:
        """Parameters besides the coefficients of the form."""
        return COST_PER_FOLD * self.folds + 2

    def rounding(self, unit: float) -> float:
        """Bound the effect on the square of rounding weights and operations to relative errors of ``unit``.

        |W_s| <= 2, |r_s| <= 2^-s, one product and one sum a fold, slopes of modulus 1: W_s is off by at most 4 (s + 1) units.
        The sum |alpha| |W_0| + sum_s beta_s |r_s| is at most 4 + 16 / 3 and its terms pass at most m + 3 operations.
        """
        off = [4.0 * (s + 1) for s in range(self.folds + 1)]
        inner = 2 * off[0] + sum(4.0 * 0.5**s * off[s] for s in range(self.folds))
        return (inner + 10.0 * (self.folds + 4)) * unit * (1 + 2.0**-20)

    def emit(self, wiring: Wiring, form: Placed, writes: Mapping[str, Fraction]) -> Fraction:
        """Write the units; each target channel gets ``factor * square`` added, up to the returned constant times its factor."""
        return self.emit_with_linear(wiring, form, writes, {})

    def emit_with_linear(self, wiring: Wiring, form: Placed, writes: Mapping[str, Fraction],
                         linear: Mapping[str, Fraction]) -> Fraction:
        """Write the units; besides, add ``factor * W_0`` with W_0 = form / half + 1 to the channels of ``linear``.

        The unit that makes W_0 is there anyway, so a linear part costs no parameter.
        """
        half, m = Fraction(self.half), self.folds
        if wiring.dry:
            wiring.channel()
            wiring.written.update((*writes, *linear))
            return 1 - Fraction(1, 2 * 4**m)
        alpha = -(2 - Fraction(2) / 2**m)
        fold = wiring.channel()
        first = {channel: alpha * factor for channel, factor in writes.items()}
        for channel, factor in linear.items():
            first[channel] = first.get(channel, Fraction(0)) + factor
        layer = wiring.unit({c: float(w / half) for c, w in form.channels.items()}, float(form.constant / half + 1),
                            {fold: 1.0, **{c: float(w) for c, w in first.items()}})
        for s in range(m):
            beta = 4 * (Fraction(1, 2**s) - Fraction(1, 2**m))
            layer += 1
            wiring.unit({fold: 1.0}, -(0.5**s), {fold: -2.0, **{c: float(beta * f) for c, f in writes.items()}}, layer)
        return 1 - Fraction(1, 2 * 4**m)


def folds_for(scale: float, tolerance: float) -> int:
    """Return the fewest folds with scale * 4^-m / 2 <= tolerance."""
    folds = 0
    while scale * 0.5 * 0.25**folds > tolerance and folds < 200:
        folds += 1
    return folds
