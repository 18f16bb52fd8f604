"""Linear inequalities with their certificates: a conclusion written as a non-negative combination of hypotheses (Farkas).

sympy checks the identity; that the multipliers and hypotheses are non-negative is read off, so nothing is searched for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from proofs_check.evidence import identities, refuted
from proofs_check.kernel import Status
from proofs_check.proof import Evidence

Combination = Sequence[tuple[Any, Any]]  # (multiplier >= 0, hypothesis that is >= 0)


def follows(claims: Mapping[str, tuple[Any, Combination]], what: str) -> Evidence:
    """Check that each conclusion ``c >= 0`` is the given sum of multiplier times hypothesis, all multipliers >= 0.

    Args:
        claims: name -> (c, [(multiplier, hypothesis), ..]); a multiplier is a number or a symbol declared non-negative.
        what: one line.
    """
    for name, (_, combination) in claims.items():
        for multiplier, _ in combination:
            if sympy.sympify(multiplier).is_nonnegative is not True:
                if sympy.sympify(multiplier).is_negative:
                    return refuted(f"{name} does not follow", f"{name}: it would need a hypothesis times {multiplier}")
                return Evidence(Status.UNDECIDED, f"{name}: the sign of {multiplier} is not known", 0)
    differences = {name: conclusion - sum(m * h for m, h in combination) for name, (conclusion, combination) in claims.items()}
    return identities(differences, what)
