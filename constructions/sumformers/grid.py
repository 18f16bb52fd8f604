"""The discretised construction: quantise, encode, sum, decode, look the value up (mathematics: section 2).

Exact and discontinuous: S is the piecewise constant f-bar, so ||f - S|| <= w_f(radius) + the rounding of the values
(mathematics: grid-sumformer, step-network).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.domains import Grid
from constructions.encodings import Code
from constructions.encodings.multisets import multisets
from constructions.errors import Refused
from constructions.network import Network, Node, Staircase
from constructions.number_formats import NumberFormat
from constructions.sumformers.sumformer import Sumformer
from constructions.targets.tabulation import separates, tabulate
from constructions.targets.target import AnyTarget, Target

CHUNK = 2**14  # measured: tokens and intermediate results stay in the cache
Progress = Callable[[int], None]


@dataclass(frozen=True)
class GridConstruction:
    """The Sumformer of a grid, and the claimed radius of its table values around f at the cell centres (same unit as f)."""

    sumformer: Sumformer
    value_radius: Fraction


def construct_grid(target: AnyTarget, grid: Grid, code: Code, number_format: NumberFormat,
                   progress: Progress = lambda done: None) -> GridConstruction:
    """Write down the step-networks phi and psi of the piecewise constant approximation of f.

    Args:
        target: f, on box^n.
        grid: cells with their centres.
        code: an injective sum code for the grid's cells and the target's n.
        number_format: in which the networks are to run without rounding.
        progress: called with the number of table entries evaluated since the last call.
    """
    quantiser = quantiser_nodes(grid)
    encoder = Node(tuple((f"cell.{c}", stride) for c, stride in enumerate(grid.strides)), _unit_steps(_as_numbers(code.values)),
                   tuple(f"phi.{r}" for r in range(code.d_latent)))
    tokens = tuple(f"x.{c}" for c in range(target.d))
    others = multisets(code.cells, code.n - 1)
    decoder, order = decoder_nodes(code, others)
    table, radius = value_table(target, grid, others[order], number_format, progress)
    values = Node((*((f"cell.{c}", stride * len(others)) for c, stride in enumerate(grid.strides)), (decoder[-1].writes[0], 1)),
                  _unit_steps(table), tuple(f"y.{k}" for k in range(target.d_out)))
    phi = Network(tokens, (*quantiser, encoder), encoder.writes)
    sigma = tuple(f"sigma.{r}" for r in range(code.d_latent))
    psi = Network((*tokens, *sigma), (*phi.nodes, *decoder, values), values.writes)
    return GridConstruction(Sumformer(phi, psi, target.n), radius)


def quantiser_nodes(grid: Grid) -> tuple[Node, ...]:
    """Return one staircase an axis: cell.c = sum_j H(x.c - t_j) (mathematics: quantiser-covers)."""
    return tuple(Node(((f"x.{c}", 1),), Staircase(axis.thresholds, np.arange(axis.cells, dtype=np.float64)[:, None]),
                      (f"cell.{c}",)) for c, axis in enumerate(grid.axes))


def decoder_nodes(code: Code, others: np.ndarray) -> tuple[tuple[Node, ...], np.ndarray]:
    """Return the nodes that turn Sigma - phi(x_i) into the rank of the others' multiset, and the multisets in rank order.

    Channel by channel: rank among the sums that occur, then rank of the pair (rank so far, rank in the next channel), so
    that no number grows beyond the number of multisets times the sums of one channel (mathematics: decode-left-inverse).

    Args:
        code: K cells, d' channels.
        others: (R, n - 1) multisets of cells.

    Returns:
        nodes, the last of which writes the final rank; and order with ``others[order[r]]`` the multiset of rank r.

    Raises:
        Refused: two multisets have the same sums, so the code is not injective.
    """
    nodes: list[Node] = []
    state, state_channel = np.zeros(len(others), dtype=np.int64), ""
    for r in range(code.d_latent):
        sums = np.add.reduce(code.values[others, r], axis=-1)
        levels, rank = np.unique(sums, return_inverse=True)
        nodes.append(Node(((f"sigma.{r}", 1), (f"phi.{r}", -1)), _between(levels), (f"rank.{r}",)))
        if not state_channel:
            state, state_channel = rank, f"rank.{r}"
            continue
        pairs, state = np.unique(state * len(levels) + rank, return_inverse=True)
        nodes.append(Node(((state_channel, len(levels)), (f"rank.{r}", 1)), _between(pairs), (f"state.{r}",)))
        state_channel = f"state.{r}"
    if len(np.unique(state)) != len(others):
        raise Refused(f"the {code.name} code is not injective for K = {code.cells}, n = {code.n}: "
                      f"{len(others)} multisets have only {len(np.unique(state))} different sums")
    return tuple(nodes), np.argsort(state)


def value_table(target: AnyTarget, grid: Grid, others: np.ndarray, number_format: NumberFormat,
                progress: Progress = lambda done: None) -> tuple[np.ndarray, Fraction]:
    """Evaluate f once for every cell of the own token and every multiset of the others.

    The values are rounded to a common power of two, fine enough that all partial sums of jumps are integers below the
    format's limit: the staircase then evaluates without rounding in any order of summation.

    Returns:
        (K * R, d_out) values, row z * R + r, and the claimed radius: rounding plus 2^-40 of the scale for evaluating f.

    Raises:
        Refused: f is not finite at a cell centre.
    """
    raw = np.concatenate(list(_table_chunks(target, grid.centres(), others, progress)))
    largest = float(np.abs(raw).max())
    if not largest < np.inf:
        raise Refused(f"{target.name} is not finite in float64 at {int(np.sum(~np.isfinite(raw)))} of {raw.size} cell centres")
    scale = max(1.0, largest)
    # |k_0| + sum |jumps| <= 2^p in units 2^-q; one bit is kept for the rounding of each value to its unit.
    q = number_format.bits - 1 - int(np.ceil(np.log2(_variation(raw) + scale)))
    units = np.rint(raw * 2.0**q)
    if _variation(units) > number_format.largest_integer:
        raise Refused(f"{len(units)} table values vary too much to be summed in {number_format.name} without rounding")
    return units * 2.0**-q, Fraction(1, 2) / Fraction(2) ** q + Fraction(scale) / 2**40


def _variation(values: np.ndarray) -> float:
    """Return |v_0| + sum |v_j - v_{j-1}|, for integers without rounding as long as it is below 2^53; the worst output's."""
    steps = np.diff(values, axis=0)
    return float((np.abs(steps, out=steps).sum(axis=0) + np.abs(values[0])).max())


def table_tokens(centres: np.ndarray, others: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the sequences of the given table rows z * R + r, own token first; shape (rows, n, d)."""
    own, rank = np.divmod(rows, len(others))
    cells = np.concatenate([own[None], others.T[:, rank]])
    # Rows innermost in memory: sums over three or four tokens are then additions of long vectors.
    return np.moveaxis(np.stack([column[cells] for column in centres.T]), (0, 1, 2), (2, 1, 0))


def _table_chunks(target: AnyTarget, centres: np.ndarray, others: np.ndarray, progress: Progress) -> Iterator[np.ndarray]:
    total = len(centres) * len(others)
    if isinstance(target, Target) and separates(target.outputs):
        block = max(1, 4 * CHUNK // len(others))
        for start in range(0, len(centres), block):
            own = np.arange(start, min(start + block, len(centres)))
            yield tabulate(target.outputs, centres, own, others).reshape(-1, target.d_out)
            progress(len(own) * len(others))
        return
    for start in range(0, total, CHUNK):
        rows = np.arange(start, min(start + CHUNK, total))
        yield target.numpy(table_tokens(centres, others, rows), slice(0, 1))[:, 0]
        progress(len(rows))


def _unit_steps(values: np.ndarray) -> Staircase:
    """A staircase over 0, 1, .., m with thresholds half-way between the integers."""
    return Staircase(np.arange(1, len(values), dtype=np.float64) - 0.5, values)


def _between(levels: np.ndarray) -> Staircase:
    """The rank among sorted integers, thresholds half-way: it survives any error below half a gap."""
    exact = [Fraction(int(a) + int(b), 2) for a, b in itertools.pairwise(levels)]
    return Staircase(_as_numbers(np.array(exact, dtype=object)), np.arange(len(levels), dtype=np.float64)[:, None])


def _as_numbers(exact: np.ndarray) -> np.ndarray:
    """Store exact numbers as float64 when every one of them is a float64, as they are otherwise."""
    if exact.size == 0:
        return exact.astype(np.float64)
    if max(abs(value) for value in exact.flat) < 2**52:
        return exact.astype(np.float64)
    return exact
