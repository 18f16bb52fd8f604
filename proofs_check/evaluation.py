"""What floating point does to a continuous network: any order of summation, up to a stated length, the heads' own roundings.

*By a running bound*: each network is within E of itself, E from slopes of single units and chains (``structure/rounding.py``).
Where products of numbers of very different sizes follow each other, as in a refined quotient of exponentials, those slopes
multiply. *As computed*: then the layers are read once more, each with what rounding adds to it in that layer alone, and every
quantity is proved of the computed numbers; what they have in common still cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.network.relu import MeanSumformer
from proofs_check.architecture_check import LARGEST_IN_STREAM, LARGEST_WEIGHT, scored
from proofs_check.floating_point import numbers_of
from proofs_check.kernel import Claim, Status, Step
from proofs_check.mean_architectures import slots
from proofs_check.propositions import Evaluated, Near, evaluated
from proofs_check.run_files import RunFiles
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.proof import Proved
from proofs_check.structure.rounding import Arithmetic, Running

ID = "evaluation"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Floating point as bounded by the running analysis.

    Attributes:
        what: format, order and lengths in words.
        longest: most tokens.
        error: bound of |computed - real|.
        gap: why nothing is claimed, "" where it is.
        local: what rounding does in each layer.
    """

    what: str
    longest: int
    error: float
    gap: str
    local: Roundings

    @staticmethod
    def of(run: RunFiles, network: MeanSumformer, proved: Proved) -> Evaluation:
        """Run the analysis, with what the proof over the reals found out about the sizes of numbers."""
        number_format, longest = str(run.plan["number_format"]), int(run.plan["evaluated_up_to"])
        # numerator and denominator of a normalised head, n sums each, a few operations a slot, four roundings of 1/n in weights
        roundings = 2 * longest + 3 * slots(run) + 52
        running = Running(proved.reading, Arithmetic.of(number_format, roundings, _factor(run, LARGEST_WEIGHT[number_format])))
        error = running.output_error(network)
        weights = [array for key, array in run.arrays.items() if key.startswith(("phi.", "psi.", "readout."))]
        gap = ""
        if not np.isfinite(error) or (scored(run.arrays) and not max(running.size.values()) <= LARGEST_IN_STREAM):
            gap = "outside the rounding analysis"
        elif not all(numbers_of(number_format, array) for array in weights):
            gap = f"a weight is not a {number_format} number"
        what = f"evaluated in {number_format}, any order of summation, n <= {longest}"
        return Evaluation(what, longest, error, gap, running.roundings)

    def steps(self, claim: Claim) -> list[Step]:
        """Return the step that each network is close to itself; an undecided one where nothing is claimed."""
        if self.gap:
            return [Step(ID, f"{self.what}: {self.gap}", Status.UNDECIDED)]
        bound = Fraction(self.error)
        return [Step(ID, self.what, Status.CERTIFIED, bound, says=Evaluated(claim.networks, bound, self.longest))]

    def as_computed(self, claim: Claim, held: Step, bound: Fraction) -> list[Step]:
        """Return the steps that each network as computed is within ``bound`` of h; ``held`` says as much of real numbers.

        What rounding adds is the share of a step below them.
        """
        if not isinstance(held.says, Near):
            raise TypeError(f"{held.id} bounds no difference")
        whole = max(bound, held.says.bound)
        share = Step(ID, f"{self.what}; read with the roundings of each layer", Status.CERTIFIED, whole - held.says.bound)
        scope = claim.scope.until(self.longest)
        what = "the same quantities, of the numbers that are computed"
        return [Step("", what, Status.CERTIFIED, says=Near(held.says.first, evaluated(name), whole, scope),
                     premises=(*held.premises, share)) for name in claim.networks]


def _factor(run: RunFiles, largest: float) -> float:
    """Bound what up to three weights of a head multiply a number by, on its way to the mean and out of it."""
    heads = [float(np.abs(array).max(initial=1.0)) for key, array in run.arrays.items() if ".attention." in key]
    return min(largest, max([1.0, *heads]) ** 3)
