"""Plan before building: cells, code, table size, bits, bytes and time of a construction, and whether it can be built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions import encodings
from constructions.domains import Box, Grid, cells_needed
from constructions.encodings import Code, information_bound
from constructions.encodings.bose_chowla import MAX_FIELD, field_size
from constructions.errors import BadInput, Refused, nearest
from constructions.moduli import Modulus
from constructions.number_formats import FLOAT64, NumberFormat, short_decimal_above
from constructions.sumformers.lifted_roots import Lifted
from constructions.targets.target import Target
from constructions.wording import counted, decimal, rounded

CODES = ("auto", "positional", "bose-chowla", "packed")
MAX_TABLE = 2**24
HOPELESS = 1000  # times too large a table
LARGE = 10**999  # entries: beyond that a number says no more, and its digits may not fit into the memory
NUMBERS = 2**22  # of one array, where f compares each token with all others
# The share of eps kept for rounding table values; the rest is spent on the modulus (mathematics: piecewise-constant-error).
VALUE_SHARE = Fraction(1, 1024)
# Seconds to build and re-check one table entry per token, measured on two cores (docs/benchmarks.md); a forecast, not a bound.
SECONDS_PER_ENTRY_TOKEN = 1e-6


@dataclass(frozen=True)
class GridPlan:
    """A grid construction that fits: what will be built and what it will cost.

    Attributes:
        lifted: what is tabulated in the target's place, None for the target itself.
        modulus: of what is tabulated.
    """

    tolerance: Fraction
    modulus: Modulus
    grid: Grid
    code: Code
    number_format: NumberFormat
    n: int
    d_out: int
    lifted: Lifted | None = None

    @property
    def cells(self) -> int:
        """K."""
        return self.grid.cells

    @property
    def multisets(self) -> int:
        """R = binom(K + n - 2, n - 1), the multisets of the n - 1 others."""
        return math.comb(self.cells + self.n - 2, self.n - 1)

    @property
    def table_entries(self) -> int:
        """K R, one entry for each own cell and multiset of the others."""
        return self.cells * self.multisets

    @property
    def table_bytes(self) -> int:
        """Bytes of the table values in float64, all outputs."""
        return 8 * self.table_entries * self.d_out

    @property
    def information_bits(self) -> float:
        """Bits that any code of the others needs."""
        return information_bound(self.cells, self.n)

    @property
    def seconds(self) -> float:
        """Forecast of building and re-checking."""
        return 1.0 + SECONDS_PER_ENTRY_TOKEN * self.table_entries * self.n * self.d_out

    @property
    def modulus_term(self) -> Fraction:
        """w_f(radius), exact."""
        return self.modulus(self.grid.radius)

    @property
    def missed(self) -> Fraction:
        """How far what is tabulated is from the target."""
        return _missed_by(self.lifted)


def plan_grid(box: Box, n: int, d_out: int, tolerance: Fraction, modulus: Modulus, *, code: str = "auto",
              number_format: NumberFormat = FLOAT64, roundings: int, pooled_in_floats: bool = True,
              max_table: int = MAX_TABLE, lifted: Lifted | None = None, rounding: Fraction = Fraction(0)) -> GridPlan:
    """Choose the coarsest grid whose modulus term leaves room for rounding, and a code for it.

    Args:
        box, n, d_out: domain of a token, sequence length, number of outputs.
        tolerance: eps > 0, sup-norm, same unit as f.
        modulus: w_f.
        code: one of ``CODES``; ``auto`` takes the smallest that survives pooling.
        number_format: in which the networks are to run without rounding.
        roundings: rounded operations in the pooling head (``PoolingHead.roundings``).
        pooled_in_floats: False when only exact integers are summed (a Sumformer without attention head).
        max_table: largest number of table entries.
        lifted: what is tabulated in the target's place, and has this modulus.
        rounding: kept for rounding table values, where that is known to be more than the usual share.

    Raises:
        Refused: the table would be larger, or no code survives, with the prediction.
    """
    if tolerance <= 0 or max_table < 1:
        raise BadInput(f"eps = {tolerance}, max_table = {max_table}: expected eps > 0 and max_table >= 1")
    left = tolerance - _missed_by(lifted)
    if rounding >= left:
        raise Refused(f"rounding table values in {number_format.name} takes {float(rounding):.3g}, all of eps = "
                      f"{float(tolerance):g}")
    radius = _cell_radius(box, min(left - rounding, left * (1 - VALUE_SHARE)), modulus)
    _refuse_large(box, n, radius, tolerance, modulus, max_table, lifted)
    grid = Grid.with_radius(box, radius, number_format)
    chosen = choose_code(code, grid.cells, n, number_format, roundings, pooled_in_floats)
    plan = GridPlan(tolerance, modulus, grid, chosen, number_format, n, d_out, lifted)
    if plan.table_entries > max_table:  # a grid of a coarse format may need a cell more than the forecast
        raise Refused(f"{plan.table_entries} table entries are more than --max-table {max_table}")
    if pooled_in_floats and plan.table_entries * 4 > number_format.largest_integer:
        raise Refused(f"{plan.table_entries} table keys are more than {number_format.name} can tell apart")
    return plan


def choose_code(name: str, cells: int, n: int, number_format: NumberFormat, roundings: int, pooled_in_floats: bool) -> Code:
    """Return the named code, or for ``auto`` the one of fewest channels, then fewest bits, that survives pooling."""
    builders: dict[str, Callable[[], Code]] = {
        "positional": lambda: encodings.positional(cells, n),
        "bose-chowla": lambda: encodings.bose_chowla(cells, n),
        "packed": lambda: encodings.packed(cells, n, number_format, roundings),
    }
    if name not in CODES:
        raise BadInput(f"unknown code {name!r}: {nearest(name, CODES)}")
    if name != "auto":
        code = builders[name]()
        if pooled_in_floats and not code.survives(number_format, roundings):
            raise Refused(f"the {name} code of K = {cells} cells for n = {n} sums to {code.largest_sigma.bit_length()} bits, "
                          f"which {number_format.name} cannot pool without error; use --code bose-chowla or packed, "
                          f"or --architecture sumformer, which sums exact integers")
        return code
    if n > 2 and field_size(cells, n) > MAX_FIELD:
        del builders["bose-chowla"]
    codes = [build() for build in builders.values()]
    usable = [c for c in codes if c.survives(number_format, roundings)]
    if not usable:
        raise Refused(f"no code of K = {cells} cells for n = {n} survives pooling in {number_format.name}")
    return min(usable, key=lambda c: (c.d_latent, c.bits))


def code_comparison(plan: GridPlan, roundings: int) -> list[tuple[str, int | None, int | None, bool | None]]:
    """Return (name, d', bits of Sigma, survives pooling) of all three codes; None where a code is too large to tabulate."""
    rows: list[tuple[str, int | None, int | None, bool | None]] = []
    for name in CODES[1:]:
        if name == "bose-chowla" and plan.n > 2 and field_size(plan.cells, plan.n) > MAX_FIELD:
            rows.append((name, 1, None, None))
            continue
        code = choose_code(name, plan.cells, plan.n, plan.number_format, roundings, pooled_in_floats=False)
        rows.append((name, code.d_latent, code.bits, code.survives(plan.number_format, roundings)))
    return rows


def _missed_by(lifted: Lifted | None) -> Fraction:
    """Return how far f with lifted roots is from f, 0 for f itself."""
    return lifted.missed if lifted else Fraction(0)


def _cell_radius(box: Box, tolerance: Fraction, modulus: Modulus) -> Fraction:
    if modulus.lipschitz == 0:
        return max(b - a for a, b in box.sides)
    return tolerance / modulus.lipschitz


def _entries(box: Box, n: int, radius: Fraction) -> int:
    cells = math.prod(cells_needed(a, b, radius) for a, b in box.sides)
    return cells * math.comb(cells + n - 2, n - 1)


def _refuse_large(box: Box, n: int, radius: Fraction, tolerance: Fraction, modulus: Modulus, max_table: int,
                  lifted: Lifted | None) -> None:
    entries = _entries(box, n, radius)
    if entries <= max_table:
        return
    larger, share = max(tolerance, Fraction(1, 10**9)), Fraction(1, 2) if lifted else 1  # a larger eps lifts roots higher
    while _entries(box, n, _cell_radius(box, larger * share * (1 - VALUE_SHARE), modulus)) > max_table:
        larger = short_decimal_above(larger * Fraction(21, 20), 3)
    fewer = next((m for m in range(n - 1, 1, -1) if _entries(box, m, radius) <= max_table), None)
    advice = f"eps = {decimal(larger)}" + (f" or n = {fewer}" if fewer else "")
    cells = [cells_needed(a, b, radius) for a, b in box.sides]
    instead = f", for {lifted.what}," if lifted else ""
    raise Refused(f"eps = {float(tolerance):g} with Lipschitz constant {float(modulus.lipschitz):.4g}{instead} needs "
                  f"{' x '.join(map(counted, cells))} cells and {counted(entries)} table entries for n = {n}, "
                  f"more than --max-table {max_table}; {advice} fits, or raise --max-table")


def entries_at_least(target: Target, tolerance: Fraction) -> int:
    """Bound the table's size from below by a slope that occurs: the modulus is never smaller. ``LARGE`` stands for all above."""
    slope = _slope_that_occurs(target)
    return _entries_for(target, tolerance / Fraction(slope)) if slope else 1


def refuse_hopeless(target: Target, tolerance: Fraction, max_table: int) -> None:
    """Refuse a table that is far too large whatever the modulus is: to prove how steep f is takes long for many tokens.

    Raises:
        Refused: with an eps below which no table is small enough.
    """
    slope = _slope_that_occurs(target)
    if not slope:
        return

    def entries(eps: Fraction) -> int:
        return _entries_for(target, eps / Fraction(slope))

    least, low, high = entries(tolerance), tolerance, tolerance
    if least <= HOPELESS * max_table:
        return
    while entries(high) > max_table:
        low, high = high, 2 * high
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if entries(middle) > max_table else (low, middle)
    raise Refused(f"eps = {decimal(tolerance)} needs at least {rounded(least)} table entries for n = {target.n}, more than "
                  f"--max-table {max_table}; nothing below eps = {decimal(low)} fits")


def _slope_that_occurs(target: Target, samples: int = 256) -> float:
    """Return a slope that was found, 0 where none was."""
    rng = np.random.default_rng(0)
    few = target.n if target.ordered else min(target.n, math.isqrt(NUMBERS // samples))
    counts = (*(1 for _ in range(few - 1)), target.n - few + 1)  # of a longer sequence the others equal the last of these
    samples = max(1, min(samples, NUMBERS // few))
    lower, upper = (np.array([float(end) for end in ends]) for ends in (target.box.lower, target.box.upper))
    tokens = lower + (upper - lower) * rng.random((samples, few, target.d))
    step = 1e-6 * float((upper - lower).max())
    signs = rng.choice([-1.0, 1.0], tokens.shape)
    moved = np.clip(tokens + step * signs, lower, upper)
    with np.errstate(all="ignore"):
        there, here = (target.numpy(part, slice(0, 1) if target.ordered else slice(None), None if few == target.n else counts)
                       for part in (moved, tokens))
        rise = np.abs(there - here).max(axis=(1, 2)) / np.abs(moved - tokens).max(axis=(1, 2))
    slope = float(np.nanmax(rise, initial=0.0)) * 0.999
    return slope if 0 < slope < math.inf else 0.0


def _entries_for(target: Target, radius: Fraction) -> int:
    cells = math.prod(cells_needed(a, b, radius) for a, b in target.box.sides)
    if math.lgamma(cells + target.n - 1) - math.lgamma(cells) - math.lgamma(target.n) > math.log(LARGE) + 1:
        return LARGE
    return cells * math.comb(cells + target.n - 2, target.n - 1)
