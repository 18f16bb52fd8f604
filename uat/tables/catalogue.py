"""The tables there are, in the order of an appendix."""

from __future__ import annotations

from collections.abc import Sequence

from constructions.errors import BadInput, nearest
from uat.tables.kinds import (
    budget,
    codes,
    cost,
    cost_exponents,
    errata,
    error,
    latent_dimension,
    latent_dimension_targets,
    steps,
    training,
)
from uat.tables.kinds.kind import Kind
from uat.tables.sources.source import Source

KINDS: dict[str, Kind] = {module.KIND.name: module.KIND for module in (
    latent_dimension, latent_dimension_targets, budget, error, codes, cost, cost_exponents, steps, training, errata)}


def chosen(names: Sequence[str]) -> list[Kind]:
    """Return the named tables, each once, in the order of the catalogue.

    Raises:
        BadInput: a name that is none of them, with those that are.
    """
    for name in names:
        if name not in KINDS:
            raise BadInput(f"table {name!r}: {nearest(name, KINDS)}")
    return [kind for name, kind in KINDS.items() if name in names]


def sources(kinds: Sequence[Kind]) -> list[Source]:
    """Return the kinds of record that these tables are printed from, each once."""
    return list({kind.source.name: kind.source for kind in kinds}.values())
