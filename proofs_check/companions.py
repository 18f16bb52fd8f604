"""From one bound to all networks: the Sumformer, and the architectures that equal it, over the reals and in floating point.

    ||f - T|| <= ||f - S|| + ||S - T||,  ||f - T evaluated|| <= ||f - T|| + ||T - T evaluated|| or ||f - h|| + ||h - T evaluated||
"""

from __future__ import annotations

from collections.abc import Sequence

from proofs_check.kernel import Step, Unsound, derive

SUMFORMER = "sumformer"


def for_every_network(links: Sequence[Step], held: Step, heads: Sequence[Step], rounding: Sequence[Step]) -> list[Step]:
    """Derive the bound of each network.

    Args:
        links: say ||f - ..|| <= .., .., ||.. - h|| <= ..; none where h is f.
        held: says ||h - sumformer|| <= ..
        heads: each says ||sumformer - T|| <= .. for one architecture T; others are passed over.
        rounding: says how far the networks in floating point are from themselves, or each of them from h.

    Returns:
        Derived steps; none for a network about which a premise says too little, which the kernel then misses.
    """
    found = [derive("triangle inequality", [*links, held])]
    for head in heads:
        found += _derived("triangle inequality", found[0], head)
    of_itself = [step for one in found for rounded in rounding for step in _derived("evaluation", one, rounded)]
    return found + of_itself + [step for rounded in rounding for step in _derived("triangle inequality", *links, rounded)]


def _derived(rule: str, *premises: Step) -> list[Step]:
    try:
        return [derive(rule, premises)]
    except Unsound:
        return []
