"""The numbers that are taken for the values of an average at knots: mixtures of a least and a largest one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from proofs_check.structure.differences import Chain
from proofs_check.structure.held_factors import HeldFactors
from proofs_check.structure.reading import NotUnderstood

HALF = Fraction(1, 2)
LEAST = Fraction(1, 2**1000)
SMALL = Fraction(1, 2**20)  # a factor below this is what the network holds, not what the knot says


@dataclass(frozen=True)
class UsedValues:
    """low + z_i height, with z_i the factors above, 1 - z_i the factors below; knots whose factor is 0 are left out there."""

    low: Fraction
    height: Fraction
    above: Mapping[int, Fraction]
    below: Mapping[int, Fraction]

    @property
    def values(self) -> list[Fraction]:
        """By knot."""
        return [self.low + self.above.get(j, Fraction(0)) * self.height for j in sorted({*self.above, *self.below})]

    @staticmethod
    def candidates(exact: Sequence[Fraction], found: HeldFactors, above: Chain, below: Chain) -> list[UsedValues]:
        """Take the values at knots, and from the network which knots are left out and, maybe, how small small factors are."""
        lowest, height = min(exact), max(exact) - min(exact)
        first, second = found.members(above), found.members(below)
        if first | second != set(range(len(exact))) or not height:
            raise NotUnderstood("an average of one value only, or not over all knots")
        parts = [(one - lowest) / height for one in exact]
        factors = {j: Fraction(int(j in first)) if (j in first) != (j in second) else z for j, z in enumerate(parts)}
        small = [j for j in first & second if not SMALL <= factors[j] <= 1 - SMALL]
        near_low, near_high = ([j for j in small if (factors[j] < HALF) == low] for low in (True, False))
        held = {**_held(found, above, {i: parts[i] for i in first}, near_low),
                **{j: 1 - z for j, z in _held(found, below, {i: 1 - parts[i] for i in second}, near_high).items()}}
        tried = [factors | held] if small else []
        tried += [factors] if all(0 < factors[j] < 1 for j in small) else []
        return [UsedValues(lowest, height, {j: z for j, z in one.items() if z}, {j: 1 - z for j, z in one.items() if z < 1})
                for one in tried]


def _held(found: HeldFactors, chain: Chain, parts: Mapping[int, Fraction], small: Sequence[int]) -> dict[int, Fraction]:
    """Return about the factors that some knots have in a chain, beside the largest one."""
    if not small:
        return {}
    offsets, _ = found.logarithms(chain)
    largest = max(parts, key=lambda i: parts[i])
    ratios = {j: Fraction(math.exp(offsets[j] - offsets[largest])) * parts[largest] for j in small}
    return {j: min(max(ratio, LEAST), SMALL) for j, ratio in ratios.items()}
