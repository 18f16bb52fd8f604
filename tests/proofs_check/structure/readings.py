"""Read a whole network, and evaluate what was read at a token or a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from constructions.network.relu import MeanSumformer, mean_of
from proofs_check.structure.content import Content
from proofs_check.structure.layers import through
from proofs_check.structure.reading import Reading
from tests.proofs_check.structure.draws import value

UNIT = ((Fraction(0), Fraction(1)),)


def read(network: MeanSumformer, sides: Sequence[tuple[Fraction, Fraction]] = UNIT) -> Reading:
    """Read phi, pool, read psi."""
    reading = Reading(sides)
    reading.start(network)
    in_psi = [channel for layer in network.psi for channel in layer.reads]
    for _ in through(reading, network.phi, [*network.pooled, *in_psi, *network.readout], "phi"):
        pass
    reading.pool(network.pooled)
    for _ in through(reading, network.psi, network.readout, "psi"):
        pass
    return reading


def in_scale(reading: Reading, name: str, number: Fraction) -> Fraction:
    """Return the variable in [-1, 1] that stands for a number."""
    variable = reading.variables[name]
    return (number - variable.centre) / variable.half if variable.half else Fraction(0)


def evaluated(reading: Reading, content: Content, token: Sequence[Fraction], means: Mapping[str, Fraction]
              ) -> tuple[Fraction, float]:
    """Return the main part at one own token and its spread; means by channel, tables by what they read there."""
    content = reading.whole(content)
    at: dict[str, Fraction] = {f"x.{c}": in_scale(reading, f"x.{c}", t) for c, t in enumerate(token)}
    at |= {mean_of(channel): in_scale(reading, mean_of(channel), t) for channel, t in means.items()}
    slack = 0.0
    for name, bend in reading.bends.items():
        if name in content.variables:
            number, spread = evaluated(reading, bend.argument, token, means)
            at[name] = in_scale(reading, name, bend.table(number))
            steepest = max(abs(float(slope)) for slope in bend.table.slopes)
            weight = abs(sum((float(c.p) / float(c.q) for m, c in content.main.terms.items() if (name, 1) in m), 0.0))
            slack += spread * steepest * weight / float(reading.variables[name].half or 1)
    return value(content.main, at), content.sharp_spread() + slack * 1.001
