"""Architectures: blocks X + FC(X + Att(X)) around one pooling head."""

from constructions.architectures.assemble import assemble, assemble_mean
from constructions.architectures.blocks import Architecture, Block, FeedForward, ReluFeedForward
from constructions.architectures.layout import Layout

__all__ = ["Architecture", "Block", "FeedForward", "Layout", "ReluFeedForward", "assemble", "assemble_mean"]
