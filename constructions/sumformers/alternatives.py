"""What else a target can be decomposed into, and which of it is built (mathematics: sum-decomposition).

A root whose base is kept away from 0, averages under exponential weights in logarithms, kernels between straight lines where a
product expansion may not do: each is one option of ``decompose``, and is another thing to build only where it makes nodes that
were not there. Averages are of all sizes in either way, so logarithms are compared with what was read first, by predicted
parameters; the rest is for what is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.pieces.mean import Rectified
from constructions.pieces.node import Node
from constructions.pieces.quotient import Quotient
from constructions.sumformers.error_budget import Compiled
from constructions.sumformers.sum_decomposition import Decomposition
from constructions.sumformers.tolerances import distributed, settle_quotients

MAKES: dict[str, type[Node]] = {"guarded": Rectified, "logarithms": ExponentialAverage, "straight": BentKernel}
# Kernels of a quotient take about half of the parameters predicted: both may err by all they are allowed, but not in one place.
OVERESTIMATED = 2.0
NEAR = 1.2  # predictions are not better: what should be larger by less is built as well


def smallest_built(decomposition: Decomposition, tolerance: float, built: Callable[[Decomposition], Compiled]
                   ) -> tuple[Decomposition, Compiled]:
    """Build what is predicted to be the smallest, and what is predicted to be hardly larger than what was found.

    Raises:
        Refused: all were, with all different reasons.
    """
    found: tuple[Decomposition, Compiled] | None = None
    reasons: dict[str, None] = {}
    for size, instead in _ways(decomposition, tolerance):
        if found is not None and size >= NEAR * found[1].sumformer.n_nonzero:
            break
        try:
            compiled = built(instead)
        except Refused as refused:
            reasons[str(refused)] = None
            continue
        if found is None or compiled.sumformer.n_nonzero < found[1].sumformer.n_nonzero:
            found = instead, compiled
    if found is None:
        raise Refused("; ".join(reasons))
    return found


def predicted(decomposition: Decomposition, tolerance: float) -> float:
    """Predict the parameters of averages in logarithms and of kernels between straight lines; what else there is takes few."""
    wanted = [node for node in decomposition.nodes if isinstance(node, BentKernel | ExponentialAverage)]
    if not wanted:
        return 0.0
    settle_quotients(decomposition, tolerance)
    divided = any(isinstance(node, Quotient) for node in decomposition.nodes)
    try:
        tolerances, _ = distributed(decomposition, tolerance, tolerance, 1.0)
        return sum(node.parameters(tolerances[node]) / (OVERESTIMATED if divided and isinstance(node, BentKernel) else 1.0)
                   for node in wanted)
    except Refused:
        return math.inf


def _ways(decomposition: Decomposition, tolerance: float) -> Iterator[tuple[float, Decomposition]]:
    """Return what may be built and about how large it will be, in order; what is for refusals only is of infinite size."""
    compared = [decomposition, *_otherwise(decomposition, "logarithms")]
    sizes = [predicted(one, tolerance) for one in compared] if len(compared) > 1 else [0.0]
    yield from sorted(zip(sizes, compared, strict=True), key=lambda pair: pair[0])
    for way in ("guarded", "straight"):
        for one in _otherwise(decomposition, way):
            yield math.inf, one


def _otherwise(decomposition: Decomposition, way: str) -> Iterator[Decomposition]:
    """Decompose in another way, if there is another thing to build."""
    if way not in decomposition.others:
        return
    try:
        found = decomposition.others[way]()
    except Refused:
        return
    if _count(found, MAKES[way]) > _count(decomposition, MAKES[way]):
        yield replace(decomposition, tokens=found.tokens, outputs=found.outputs, nodes=found.nodes)


def _count(decomposition: Decomposition, kind: type[Node]) -> int:
    return sum(isinstance(node, kind) for node in decomposition.nodes)
