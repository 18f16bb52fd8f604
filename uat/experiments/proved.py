"""How far a trained network is from its target at most: proved by subdivision, from the weights as they are stored."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

from constructions.progress import Report
from constructions.targets.target import Target
from proofs_check.kernel import Certificate, Undecided
from proofs_check.subdivision import certify_by_subdivision, problem_of_trained
from uat.experiments.extracted import Extracted

SHARPNESS = Fraction(11, 10)  # of the error that was found: a bound nearer to it takes many more boxes


def proved_bound(target: Target, network: Extracted, found: float, *, boxes: int, file: Path | None,
                 report: Report) -> Fraction | None:
    """Return a bound on ||f - T|| at the target's length.

    Args:
        target, network: f and T.
        found: an error that occurs.
        boxes: number to judge, about; then the best bound so far is returned.
        file: where the network is to be stored, for ``uat certify --network``; None for nowhere.
        report: progress in boxes.

    Returns:
        ``SHARPNESS`` times what was found or less, a larger bound if the boxes did not suffice, None if they proved nothing.
    """
    from safetensors.numpy import save_file

    with tempfile.TemporaryDirectory() as elsewhere:
        path = Path(elsewhere) / "network.safetensors" if file is None else file
        save_file(network.arrays(), path)
        phi = "file" if network.phi else "monomials"
        claim, problem = problem_of_trained(target, path, "mean", SHARPNESS * Fraction(found), phi)
    verdict, _ = certify_by_subdivision(claim, problem, boxes=boxes, after_round=lambda search: report(
        f"bounding the error of the network trained on {target.name}", min(search.judged, boxes), boxes))
    if isinstance(verdict, Certificate):
        return verdict.claim.bound
    return verdict.best_bound if isinstance(verdict, Undecided) else None
