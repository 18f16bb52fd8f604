"""The residual layout [1 | x | phi | Sigma | work]: which channel of the stream is which (mathematics: residual-layout)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from constructions.sumformers import Sumformer


@dataclass(frozen=True)
class Layout:
    """Named channels of the stream, in order."""

    channels: tuple[str, ...]

    @property
    def d_model(self) -> int:
        """Width of the stream."""
        return len(self.channels)

    def __getitem__(self, channel: str) -> int:
        """Return the position of a channel."""
        return self._positions[channel]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {channel: k for k, channel in enumerate(self.channels)}

    @staticmethod
    def of(sumformer: Sumformer) -> Layout:
        """Lay out a Sumformer: 1, x, phi, Sigma as in the paper, then one work channel for every other node output.

        The paper's width 1 + d + 2 d' leaves no room for a network with more than one hidden layer: its intermediate results
        must stay in the stream between blocks.
        """
        psi = sumformer.psi
        tokens = tuple(channel for channel in psi.inputs if channel.startswith("x."))
        sigma = tuple(channel for channel in psi.inputs if channel.startswith("sigma."))
        named = ("1", *tokens, *sumformer.phi.outputs, *sigma)
        work = tuple(channel for node in psi.nodes for channel in node.writes if channel not in named)
        return Layout((*named, *work))
