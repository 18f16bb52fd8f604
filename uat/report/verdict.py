"""What is known of a run now: proved again, only if an assumption holds, as stored, undecided, or false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proofs_check.decimals import decimal_above, decimal_below
from proofs_check.kernel import Certificate, Claim, Refuted, Verdict
from proofs_check.proof_tree import proof_tree
from uat.figures.budget import up_to
from uat.run_directory import status_text
from uat.sampling import Sampled

BADGES = {"proved": "Proved", "assumed": "Holds only under an assumption", "stored": "As stored, not proved again now",
          "undecided": "Not decided", "refuted": "False"}


@dataclass(frozen=True)
class Known:
    """The state of a run, and the steps that show it.

    Attributes:
        state: key of ``BADGES``; only ``proved`` is ever shown in green.
        bound: what is proved or was claimed.
        steps: as a certificate stores them.
        tree: the proof as a tree, None where nothing was concluded.
        reason: why nothing was concluded.
        assumed: statements that nobody proved and that are not about the checker itself.
        trusted: what the checker itself rests on.
    """

    state: str
    status: str
    bound: Fraction
    best_bound: Fraction | None
    steps: list[Mapping[str, Any]]
    tree: Mapping[str, Any] | None
    reason: str
    assumed: list[str]
    trusted: list[str]
    method: str

    @property
    def holds(self) -> bool:
        """Whether there is a certificate that nothing contradicts."""
        return self.state in ("proved", "assumed", "stored")


def known(claim: Claim, stored: Mapping[str, Any], verdict: Verdict | None, found: Sampled | None, trust: tuple[str, ...],
          method: str) -> Known:
    """Put together what a re-check (None: not asked for) and a search say."""
    best: Fraction | None
    if verdict is None:
        status, steps, tree, reason = str(stored["status"]), list(stored["budget"]), stored["tree"], ""
        assumptions, best = [str(text) for text in stored["assumptions"]], claim.bound
    elif isinstance(verdict, Certificate):
        status, tree, reason = verdict.status.value, proof_tree(verdict).to_json(), ""
        steps = [step.to_json() for step in verdict.steps]
        assumptions, best = list(verdict.assumptions), claim.bound
    else:
        status, steps, tree, reason = status_text(verdict), [step.to_json() for step in verdict.steps], None, verdict.reason
        assumptions, best = [], None if isinstance(verdict, Refuted) else verdict.best_bound
    if found is not None and found.refutes:
        status, tree = "refuted", None
        reason = (f"a sequence was found whose error {decimal_below(Fraction(found.maximum))} exceeds the claimed bound "
                  f"{decimal_above(claim.bound)}")
    extra = [text for text in assumptions if text not in trust]
    if tree is not None and sum(Fraction(str(step["bound"])) for step in steps) > claim.bound:
        status, tree, best, reason = "undecided", None, None, "the shares that are stored add up to more than the bound"
    if tree is not None:
        steps = up_to(claim.bound, steps)
    state = status if status in ("refuted", "undecided") else "assumed" if extra or status == "assumed" else (
        "stored" if verdict is None else "proved")
    return Known(state, status, claim.bound, best, [_checked(step) for step in steps], tree, reason, extra, list(trust), method)


def _checked(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a step with its share as a number and as a decimal at or above it."""
    share = Fraction(str(step["bound"]))
    return {**step, "share": share, "shown": decimal_above(share)}
