"""A target from its text to a network, proved from the weights alone, and how far off it is on sequences."""

from __future__ import annotations

import numpy as np

from constructions.construct import Construction
from constructions.continuous import construct_continuous
from constructions.targets.target import Target
from proofs_check.structure.proof import Proved, prove
from tests.proofs_check.structure.test_proof import sequences
from uat import pipeline
from uat.request import Request


def built_and_proved(text: str, eps: str) -> tuple[Construction, Proved]:
    """Build the Sumformer of a target of one coordinate; return it with what structure proves of it."""
    request = Request(text, eps, architecture="sumformer", method="sum-decomposition")
    target = request.resolved(3)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    return construction, prove(construction.sumformer, construction.compiled.derivation, target, pipeline.claim_of(construction))


def largest_error(construction: Construction, n: int, count: int) -> float:
    """Return the largest sampled error of so many sequences of n tokens."""
    target = construction.target
    tokens, at_n = sequences(1, n, count), Target.from_text(target.text, n=n, box=target.box)
    return float(np.abs(construction.sumformer(tokens) - at_n.numpy(tokens)).max())
