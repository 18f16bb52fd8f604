"""The compiler: a target and a tolerance in, explicit weights and an error budget out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from constructions.architectures import Architecture, assemble
from constructions.errors import Refused, Undefined
from constructions.moduli import Modulus, derived
from constructions.number_formats import FLOAT64, NumberFormat
from constructions.planner import MAX_TABLE, GridPlan, plan_grid, refuse_hopeless
from constructions.pooling import PoolingHead
from constructions.progress import Report, counting, silent
from constructions.sumformers import Sumformer
from constructions.sumformers.grid import construct_grid
from constructions.sumformers.lifted_roots import Lifted, lifted_instead
from constructions.targets.definedness import refuse_undefined
from constructions.targets.target import AnyTarget, Target

MAX_COORDINATES = 256
FINER = 4  # more grids that are tried where a coarse format rounds the values by more than was kept for it
ROOM = Fraction(5, 4)


@dataclass(frozen=True, eq=False)
class Construction:
    """What was built, and the shares of the claimed bound: w_f(radius), the rounding of table values, and lifted roots."""

    target: AnyTarget
    plan: GridPlan
    sumformer: Sumformer
    architectures: tuple[Architecture, ...]
    value_radius: Fraction
    method: str = "grid"
    every_n: bool = False

    @property
    def tolerance(self) -> Fraction:
        """eps."""
        return self.plan.tolerance

    @property
    def number_format(self) -> NumberFormat:
        """The format the networks run in without rounding."""
        return self.plan.number_format

    @property
    def bound(self) -> Fraction:
        """The claimed bound of ||f - T||, exact; from :func:`construct_within` it is at most the tolerance."""
        return self.plan.missed + self.plan.modulus_term + self.value_radius

    @property
    def lifted(self) -> str:
        """The text with the roots lifted that was tabulated in the target's place, "" for the target itself."""
        return self.plan.lifted.target.text if self.plan.lifted else ""


def plan(target: AnyTarget, tolerance: Fraction, heads: Sequence[PoolingHead], *, modulus: Modulus | None = None,
         code: str = "auto", number_format: NumberFormat = FLOAT64, max_table: int = MAX_TABLE) -> GridPlan:
    """Check the target, find its modulus and choose grid and code; see :func:`plan_grid` for what is refused."""
    if target.n * target.d > MAX_COORDINATES:
        raise Refused(f"n * d = {target.n * target.d} coordinates are more than {MAX_COORDINATES}: the discretised construction "
                      f"is for short sequences")
    lifted = None
    if isinstance(target, Target):
        modulus, lifted = _modulus(target, tolerance, modulus, max_table)
    if modulus is None:
        raise ValueError("a callable target needs a declared modulus")
    return plan_grid(target.box, target.n, target.d_out, tolerance, modulus, code=code, number_format=number_format,
                     roundings=roundings(heads, target.n), pooled_in_floats=bool(heads), max_table=max_table,
                     lifted=lifted)


def _modulus(target: Target, tolerance: Fraction, declared: Modulus | None, max_table: int) -> tuple[Modulus, Lifted | None]:
    """Return w_f; or, where a root of f reaches 0, that of f with its roots lifted for half of the tolerance."""
    try:
        refuse_undefined(target)
        return declared or _derived(target, tolerance, max_table), None
    except Undefined:
        raise
    except Refused as refused:  # balls around 0 reach below it: that f is defined there the checker can show
        lifted = lifted_instead(target, tolerance, refused)
    if declared:
        return declared, None
    left = tolerance - lifted.missed
    try:
        return _derived(lifted.target, left, max_table), lifted
    except Refused as refused:
        raise Refused(f"with {lifted.what}, which leaves {float(left):.3g} of eps: {refused}") from None


def _derived(target: Target, tolerance: Fraction, max_table: int) -> Modulus:
    """Derive w_f, unless a slope that occurs shows that no table will do."""
    refuse_hopeless(target, tolerance, max_table)
    return derived(target)


def roundings(heads: Sequence[PoolingHead], n: int) -> int:
    """Return a number of rounded operations well above what any of the heads does (the checker uses its own count)."""
    return 8 * max((head.roundings(n) for head in heads), default=0) + 64


def construct_within(target: AnyTarget, tolerance: Fraction, heads: Sequence[PoolingHead], report: Report = silent, *,
                     modulus: Modulus | None = None, code: str = "auto", number_format: NumberFormat = FLOAT64,
                     max_table: int = MAX_TABLE) -> Construction:
    """Plan and construct; how much the values are rounded is known with the table, and may ask for a finer grid.

    Raises:
        Refused: see :func:`plan`; or no grid was found whose values are rounded little enough in a coarse format.
    """
    planned = plan(target, tolerance, heads, modulus=modulus, code=code, number_format=number_format, max_table=max_table)
    built = construct(target, planned, heads, report)
    for _ in range(FINER):
        if built.bound <= tolerance:
            return built
        planned = plan_grid(target.box, target.n, target.d_out, tolerance, planned.modulus, code=code,
                            number_format=number_format, roundings=roundings(heads, target.n), pooled_in_floats=bool(heads),
                            max_table=max_table, lifted=planned.lifted, rounding=ROOM * built.value_radius)
        built = construct(target, planned, heads, report)
    raise Refused(f"rounding table values in {number_format.name} takes {float(built.value_radius):.3g} of eps = "
                  f"{float(tolerance):g}, more with every finer grid; expected a larger eps or --precision float64")


def construct(target: AnyTarget, planned: GridPlan, heads: Sequence[PoolingHead],
              report: Report = silent) -> Construction:
    """Write the weights down: the discretised Sumformer and every architecture that reproduces it.

    The plan has settled modulus, quantiser and code (mathematics: modulus, quantiser-covers, sum-code-injective); here follow
    piecewise-constant-error, decode-left-inverse, step-network and the poolings.
    """
    counted = counting(report, "value table", planned.table_entries)
    tabulated = planned.lifted.target if planned.lifted else target
    grid = construct_grid(tabulated, planned.grid, planned.code, planned.number_format, counted)
    architectures = tuple(assemble(grid.sumformer, head) for head in heads)
    return Construction(target, planned, grid.sumformer, architectures, grid.value_radius)
