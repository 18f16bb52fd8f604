"""The claim in plain words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check.kernel import Claim, decimal_above
from uat.report.verdict import Known


def sequences(claim: Claim) -> str:
    """Say which sequences a claim is about."""
    length = "at least two tokens" if claim.every_n else f"{claim.n:,} tokens"
    return f"every sequence of {length} in {domain(claim)}"


def domain(claim: Claim) -> str:
    """Write the domain of one token."""
    sides = [f"[{low}, {high}]" for low, high in claim.domain]
    return sides[0] if len(sides) == 1 else " \N{MULTIPLICATION SIGN} ".join(sides)


def headline(claim: Claim, state: Known) -> str:
    """Say in one sentence what is known."""
    bound = decimal_above(claim.bound, 2)
    differs = f"this network's output differs from the target {_named(claim)} by at most {bound}"
    match state.state:
        case "refuted":
            return f"It is not true that for {sequences(claim)} {differs}."
        case "undecided":
            return f"It is not known whether for {sequences(claim)} {differs}."
        case "assumed":
            return f"If what is assumed below is true: for {sequences(claim)}, {differs}."
        case _:
            return f"For {sequences(claim)}, {differs}."


def meaning_of(state: Known, seconds: float) -> str:
    """Say what kind of knowledge that is."""
    match state.state:
        case "proved":
            return (f"Proved, not estimated: the bound was derived again just now, in {_time(seconds)}, from the stored "
                    f"weights and the text of the target alone, with every rounding counted.")
        case "assumed":
            again = f" The rest was proved again just now, in {_time(seconds)}." if seconds else (
                " The rest is shown as it was stored; it was not proved again for this page.")
            return "This holds only if what is assumed below is true; nobody proved that." + again
        case "stored":
            return ("Proved when the run was written. For this page the bound was not proved again; only the files were compared "
                    "with the hashes that were stored with them.")
        case "undecided":
            return "The proof did not go through. That says neither that the claim is true nor that it is false."
        case _:
            return "Do not rely on this network."


def wrong_if(claim: Claim, state: Known, plan: dict[str, Any]) -> list[str]:
    """List what the claim does not cover."""
    lengths = ("" if claim.every_n else
               f"Sequences of any other length than {claim.n:,}: nothing is claimed for them.")
    longest = plan.get("evaluated_up_to")
    floats = (f"Running it in {plan['number_format']} on more than {int(longest):,} tokens: beyond that length the bound is "
              f"about exact arithmetic." if longest and claim.every_n else
              f"Running it in another number format than {plan['number_format']}.")
    return [text for text in (
        f"Tokens outside {domain(claim)}: nothing is claimed for them.", lengths, floats,
        "Weights that were changed after the run was written: commands that read the run refuse it.") if text]


def tightness(found: float, bound: Fraction) -> str:
    """Say how far the proved bound can be from the truth."""
    if not found:
        return ""
    return f"The bound is at most {decimal_above(bound / Fraction(found), 3)} times the true largest error."


def _time(seconds: float) -> str:
    return f"{seconds:.1f} seconds" if seconds >= 0.1 else "less than 0.1 seconds"


def _named(claim: Claim) -> str:
    return "f" if claim.target in ("f", claim.expression) else f"f ({claim.target})"
