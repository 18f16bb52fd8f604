"""A comparison judged on a GPU: the same code and the same boxes, many more of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import torch

from constructions.targets import expression as ex
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.device_arithmetic import ask
from proofs_check.enclosures.device_array import on_device, on_host
from proofs_check.enclosures.interval import Floats

BATCH = 2**15  # boxes: an operation takes as long for these as for one (to be measured)


@dataclass(frozen=True, eq=False)
class OnDevice(Comparison):
    """Another comparison, whose boxes are bounded on a device; bisecting and counting them stays here.

    It has the digest of the other one: a checkpoint may be taken up anywhere.
    """

    inner: Comparison
    device: torch.device
    batch: ClassVar[int] = BATCH
    _occurs: list[float] = field(default_factory=lambda: [0.0])

    @staticmethod
    def of(comparison: Comparison, device: torch.device) -> OnDevice:
        """Judge on a device that computes as it has to; raises Refused where it shows that it does not."""
        ask(device)
        return OnDevice(comparison, device)

    @property
    def outputs(self) -> tuple[ex.Expression, ...]:  # type: ignore[override]  # read only, as a frozen field is
        """The target's expressions."""
        return self.inner.outputs

    @property
    def n(self) -> int:  # type: ignore[override]
        """Tokens."""
        return self.inner.n

    @property
    def sides(self) -> tuple[tuple[Fraction, Fraction], ...]:  # type: ignore[override]
        """The domain of a token."""
        return self.inner.sides

    @property
    def digest(self) -> str:
        """Identify the comparison."""
        return self.inner.digest

    def judge(self, batch: Boxes) -> Judged:
        """Bound the error on boxes of one case: their ends go to the device, three arrays come back.

        An error that occurs is found again by the processor: a refutation rests on no device.
        """
        there = replace(batch, lower=on_device(batch.lower, self.device), upper=on_device(batch.upper, self.device))
        judged = self.inner.judge(there)
        upper, parts, found = (on_host(part) for part in (judged.upper, judged.parts, judged.occurs))
        occurs = np.zeros_like(found)
        worst = int(np.argmax(found))
        if found[worst] > self._occurs[0]:
            occurs[worst] = self.inner.judge(batch.take(slice(worst, worst + 1))).occurs[0]
            self._occurs[0] = max(self._occurs[0], float(occurs[worst]))
        return Judged(upper, parts, occurs)

    def cuts(self, boxes: Boxes, coordinate: np.ndarray) -> Floats:
        """Bisect where the other comparison would."""
        return self.inner.cuts(boxes, coordinate)

    @property
    def elsewhere(self) -> Callable[[Boxes], Judged]:
        """Refuse: a device belongs to this process."""
        raise TypeError("boxes are judged on a device or in other processes, not both")
