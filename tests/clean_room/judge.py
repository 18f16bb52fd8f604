"""|f - T| against what a certificate claims: f with 60 digits, T in fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from tests.clean_room.exact_network import exact_network
from tests.clean_room.stored_files import Stored
from tests.clean_room.target_value import CONTEXT, Target

UNSEEN = CONTEXT.mpf(10) ** -45  # what 60 digits may have lost


def high(value: Fraction) -> Any:
    """A fraction with 60 digits."""
    return CONTEXT.mpf(value.numerator) / value.denominator


def judge(stored: Stored) -> Callable[[Sequence[Sequence[Fraction]], int], str]:
    """A function of a sequence and an own token: "" where |f - T| is within the bound, else all that is needed to see it."""
    network, target, bound = exact_network(stored), Target(stored.plan["expression"]), high(stored.bound)

    def objection(tokens: Sequence[Sequence[Fraction]], own: int) -> str:
        gaps = [abs(f - high(T)) for f, T in zip(target.high(tokens, own), network(tokens, own), strict=True)]
        if max(gaps) <= bound + UNSEEN:
            return ""
        shown = [[str(value) for value in token] for token in tokens]
        return f"{stored.plan['expression']}: |f - T| = {max(gaps)} > {stored.bound} at token {own} of {shown}"

    return objection
