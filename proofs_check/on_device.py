"""A comparison judged on a GPU: the same code and the same boxes, many more of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch

from constructions.errors import Refused
from constructions.targets import expression as ex
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.device_arithmetic import ask
from proofs_check.enclosures.device_array import on_device, on_host
from proofs_check.enclosures.interval import Floats

BATCH = 2**15  # boxes: starting an operation takes as long for one; halved where a device has no memory for so many


@dataclass
class State:
    """What is found out on the way: the largest error that occurs, and how many boxes there is memory for."""

    occurs: float = 0.0
    batch: int = BATCH


@dataclass(frozen=True, eq=False)
class OnDevice(Comparison):
    """Another comparison, whose boxes are bounded on a device; bisecting and counting them stays here.

    It has the digest of the other one: a checkpoint may be taken up anywhere.
    """

    inner: Comparison
    device: torch.device
    state: State = field(default_factory=State)

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
    def batch(self) -> int:
        """How many boxes of one case are judged at once."""
        return self.state.batch

    @property
    def digest(self) -> str:
        """Identify the comparison."""
        return self.inner.digest

    def judge(self, batch: Boxes) -> Judged:
        """Bound the error on boxes of one case: their ends go to the device, three arrays come back.

        An error that occurs is found again by the processor: a refutation rests on no device.
        """
        upper, parts, found = self._there(batch)
        occurs = np.zeros_like(found)
        worst = int(np.argmax(found))
        if found[worst] > self.state.occurs:
            occurs[worst] = self.inner.judge(batch.take(slice(worst, worst + 1))).occurs[0]
            self.state.occurs = max(self.state.occurs, float(occurs[worst]))
        return Judged(upper, parts, occurs)

    def _there(self, batch: Boxes) -> tuple[np.ndarray, ...]:
        """Judge on the device, in halves where it runs out of memory."""
        count = batch.bound.size
        try:
            judged = self.inner.judge(replace(batch, lower=on_device(batch.lower, self.device),
                                              upper=on_device(batch.upper, self.device)))
            return tuple(on_host(part) for part in (judged.upper, judged.parts, judged.occurs))
        except torch.cuda.OutOfMemoryError:
            if count == 1:
                raise Refused(f"--device {self.device.type}: there is no memory left for a single box") from None
        # after the exception is gone, and with it all arrays of its call
        self.state.batch = min(self.state.batch, max(1, count // 2))
        halves = self._there(batch.take(slice(0, count // 2))), self._there(batch.take(slice(count // 2, count)))
        return tuple(np.concatenate(parts) for parts in zip(*halves, strict=True))

    def cuts(self, boxes: Boxes, coordinate: np.ndarray) -> Floats:
        """Bisect where the other comparison would."""
        return self.inner.cuts(boxes, coordinate)

    @property
    def elsewhere(self) -> Callable[[Boxes], Judged]:
        """Refuse: a device belongs to this process."""
        raise TypeError("boxes are judged on a device or in other processes, not both")
