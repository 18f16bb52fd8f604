"""What rounding does in one layer: how far the computed numbers are from what the layer makes of the numbers it was given."""

from __future__ import annotations

from dataclasses import dataclass, field

from proofs_check.enclosures.sums import ABOVE


@dataclass
class Roundings:
    """The same for all layers of a network.

    Attributes:
        of_layers: by part and layer, by channel.
        of_means: by mean, of the mean itself.
        of_outputs: of the readout, one number an output.
        relative_of_means, least_of_means: a mean of numbers >= 0 is off by at most this part of itself, and by as much again.
    """

    of_layers: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)
    of_means: dict[str, float] = field(default_factory=dict)
    of_outputs: list[float] = field(default_factory=list)
    relative_of_means: float = 0.0
    least_of_means: float = 0.0

    def add(self, part: str, at: int, channel: str, size: float) -> None:
        """Add to what is known of a channel."""
        here = self.of_layers.setdefault((part, at), {})
        here[channel] = (here.get(channel, 0.0) + size) * ABOVE
