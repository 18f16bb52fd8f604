"""Architectures: blocks X + FC(X + Att(X)) around one pooling head."""

from constructions.architectures.assemble import assemble
from constructions.architectures.blocks import Architecture, Block, FeedForward
from constructions.architectures.layout import Layout

__all__ = ["Architecture", "Block", "FeedForward", "Layout", "assemble"]
