"""From one bound to all networks: the Sumformer, and the architectures that equal it, over the reals and in floating point.

    ||f - T|| <= ||f - S|| + ||S - T||,    ||f - T evaluated|| <= ||f - T|| + ||T - T evaluated||
"""

from __future__ import annotations

from collections.abc import Sequence

from proofs_check.kernel import Step, Unsound, derive

SUMFORMER = "sumformer"


def for_every_network(of_sumformer: Step, heads: Sequence[Step], evaluation: Step) -> list[Step]:
    """Derive the bound of each network.

    Args:
        of_sumformer: says ||f - sumformer|| <= ..
        heads: each says ||sumformer - T|| <= .. for one architecture T; others are passed over.
        evaluation: says how far the networks in floating point are from themselves.

    Returns:
        Derived steps; none for a network about which a premise says too little, which the kernel then misses.
    """
    found = [of_sumformer]
    for head in heads:
        found += _derived("triangle inequality", of_sumformer, head)
    return found + [step for one in found for step in _derived("evaluation", one, evaluation)]


def _derived(rule: str, *premises: Step) -> list[Step]:
    try:
        return [derive(rule, premises)]
    except Unsound:
        return []
