"""Codes whose sums determine multisets (mathematics: sum-code-injective)."""

from constructions.encodings.bose_chowla import bose_chowla
from constructions.encodings.code import Code, information_bound
from constructions.encodings.packed import packed
from constructions.encodings.positional import positional

__all__ = ["Code", "bose_chowla", "information_bound", "packed", "positional"]
