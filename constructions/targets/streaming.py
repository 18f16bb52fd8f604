"""A target on a sequence that is never held at once: reductions accumulate over chunks of tokens, innermost first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from constructions.targets import expression as ex
from constructions.targets.evaluation import Algebra, Array, Walker

Chunks = Callable[[], Iterable[Array]]


def evaluate_in_chunks(outputs: Sequence[ex.Expression], own: Array, chunks: Chunks, n: int, algebra: Algebra) -> Array:
    """Evaluate all outputs at a few own tokens of a sequence given in chunks.

    Args:
        outputs: expressions already fixed to the length n; no order statistics, which need all tokens at once.
        own: (k, d) tokens that take the role of x.
        chunks: called once for every depth of nesting; yields the same (tokens, d) arrays every time, n tokens together.
        n: length of the sequence.
        algebra: the number field.

    Returns:
        (k, d_out) array.

    Raises:
        TypeError: an order statistic.
    """
    known: dict[ex.Expression | int, Array] = {}
    waiting = {node for output in outputs for node in output.walk() if isinstance(node, ex.Reduction)}
    while waiting:
        ready = [node for node in waiting if not any(inner in waiting for inner in node.body.walk())]
        sums: dict[ex.Reduction, Array] = {}
        for chunk in chunks():
            walker = _ChunkWalker(own, chunk, algebra, known)
            for node in ready:
                part = walker.part(node)
                sums[node] = _joined(node.kind, sums[node], part, algebra) if node in sums else part
        for node in ready:
            mean = node.kind == "mean"
            known[node] = sums[node] / algebra.constant(Fraction(n)).reshape((1,) * 3) if mean else sums[node]
        waiting -= set(ready)
    walker = _ChunkWalker(own, own[:1], algebra, known)
    columns = [walker.value(output)[0, :, 0] for output in outputs]
    return algebra.stack([column if column.shape[0] == own.shape[0] else column.repeat(own.shape[0]) for column in columns])


class _ChunkWalker(Walker):
    """Sees the own tokens as x and a chunk as y."""

    def __init__(self, own: Array, chunk: Array, algebra: Algebra, known: dict[ex.Expression | int, Array]) -> None:
        super().__init__(chunk[None], algebra, slice(None))
        self.own_tokens = own[None]
        self.known = dict(known)

    def part(self, node: ex.Reduction) -> Array:
        """Return the sum, maximum or minimum over this chunk."""
        body, algebra = self.value(node.body), self.algebra
        if node.kind in ("max", "min"):
            return (algebra.max if node.kind == "max" else algebra.min)(body)
        if body.shape[-1] == 1 and self.n > 1:  # does not see y
            return body * algebra.constant(Fraction(self.n)).reshape((1,) * 3)
        return algebra.sum(body)

    def _compute(self, node: ex.Expression) -> Array:
        if isinstance(node, ex.Own):
            return self.own_tokens[..., :, None, node.coordinate]
        if isinstance(node, ex.OrderStatistic):
            raise TypeError(f"{node} needs all tokens at once")
        return super()._compute(node)


def _joined(kind: str, before: Array, part: Array, algebra: Algebra) -> Array:
    if kind == "max":
        return algebra.maximum(before, part)
    return algebra.minimum(before, part) if kind == "min" else before + part
