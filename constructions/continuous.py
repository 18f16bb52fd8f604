"""The continuous constructions: a target and a tolerance in, a ReLU Sumformer for every n (or for one) and its budget out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from constructions.architectures import Architecture, assemble_mean
from constructions.errors import Refused
from constructions.moduli import derived
from constructions.network.relu import MeanSumformer
from constructions.number_formats import FLOAT64, NumberFormat
from constructions.pooling import PoolingHead
from constructions.sumformers.alternatives import smallest_built
from constructions.sumformers.bernstein import MAX_VALUES, bernstein, bernstein_degree_fits, slopes_that_occur
from constructions.sumformers.compiler import compile_decomposition
from constructions.sumformers.error_budget import Compiled
from constructions.sumformers.fitted import fit
from constructions.sumformers.lifted_roots import lifted_instead
from constructions.sumformers.limits import DEFAULT_LIMITS, Limits
from constructions.sumformers.power_sums import as_expression, polynomial_form
from constructions.sumformers.sorted_tokens import over_sorted_tokens
from constructions.sumformers.sum_decomposition import Decomposition, decompose
from constructions.targets import expression as ex
from constructions.targets.target import AnyTarget, CallableTarget, Target
from constructions.wording import counted

# Tokens up to which floating-point evaluation is inside the bound, unless longer sequences are asked for; over the reals the
# bound does not depend on n.
EVALUATED_UP_TO = {"float64": 4096, "float32": 64}


@dataclass(frozen=True, eq=False)
class ContinuousConstruction:
    """What was built.

    Attributes:
        target, tolerance, method: what was asked for, and the construction that was taken.
        every_n: whether the bound holds for every n >= 2 (over the reals) or for the target's n alone.
        evaluated_up_to: sequence length up to which floating-point evaluation is inside the bound.
        compiled: phi, psi, the bound and its shares.
        architectures: the blocks for the target's n; another n changes the attention weights of some heads only.
        stands_in, missed: expressions that were built in the target's place, and their claimed distance, to be proved.
        lifted: the text with the roots lifted that was built in the target's place, "" for the target itself.
    """

    target: Target
    tolerance: Fraction
    method: str
    every_n: bool
    evaluated_up_to: int
    number_format: NumberFormat
    compiled: Compiled
    architectures: tuple[Architecture, ...]
    stands_in: tuple[ex.Expression, ...] = ()
    missed: Fraction = Fraction(0)
    lifted: str = ""

    @property
    def sumformer(self) -> MeanSumformer:
        """phi and psi."""
        return self.compiled.sumformer

    @property
    def bound(self) -> Fraction:
        """The claimed bound of ||f - T||, exact; it is at most the tolerance."""
        return self.compiled.bound


def sum_decomposition(target: Target, tolerance: Fraction) -> Decomposition:
    """h(x, means of token-wise functions), for every n where the target allows it (mathematics: sum-decomposition)."""
    return decompose(target.symbolic, target.box.sides, target.n)


def power_sums(target: Target, tolerance: Fraction) -> Decomposition:
    """A polynomial target through the power sums of the paper's proof (mathematics: semi-invariant-form).

    In the network each is the mean of a Chebyshev combination, which has the same span and is far better conditioned. Another
    Lipschitz target is first replaced by its Bernstein polynomial, where that is of a size to be written down.
    """
    try:
        outputs = tuple(as_expression(form, target.n) for form in polynomial_form(target))
    except Refused as refused:
        return _through_bernstein(target, tolerance, str(refused))
    return replace(decompose(outputs, target.box.sides, target.n), every_n=False)


def bernstein_instead(target: Target, tolerance: Fraction) -> str:
    """Say what ``power_sums`` would go through where the target is no polynomial, "" where it is one.

    A comparison does not build it: it takes long, and another construction that applies is smaller.
    """
    try:
        polynomial_form(target)
    except Refused as refused:
        try:
            N = _bernstein_degree(target, tolerance, str(refused))
        except Refused as too_many:
            return str(too_many)
        return f"it is not a polynomial; --method power-sums goes through its Bernstein polynomial of degree {counted(N)} or more"
    return ""


def _bernstein_degree(target: Target, tolerance: Fraction, reason: str) -> int:
    """Return the degree that a slope which occurs asks for, or refuse."""
    if target.d > 1:
        raise Refused(f"{reason}, and its Bernstein polynomial is built for d = 1 only")
    if 2 * target.n > MAX_VALUES:  # even of degree 1: no need to see how steep f is on so many tokens
        raise Refused(f"it is not a polynomial, and a Bernstein polynomial on {target.n:,} tokens takes {2 * target.n:,} values "
                      f"of f or more, more than {MAX_VALUES:,}")
    return bernstein_degree_fits(target, slopes_that_occur(target), tolerance / 2)


def _through_bernstein(target: Target, tolerance: Fraction, reason: str) -> Decomposition:
    _bernstein_degree(target, tolerance, reason)
    L = derived(target).lipschitz
    outputs, missed, N = bernstein(target, [L] * target.n, tolerance / 2)
    return replace(decompose(outputs, target.box.sides, target.n), every_n=False, missed=missed,
                   density=f"Bernstein polynomial of degree {N} in each of {target.n} coordinates")


def order_statistics(target: Target, tolerance: Fraction) -> Decomposition:
    """All n order statistics decoded, then a function of them and the own token, d = 1 (mathematics: order-statistics)."""
    return decompose(over_sorted_tokens(target.outputs, target.d, target.n), target.box.sides, target.n)


def fitted(target: Target, tolerance: Fraction) -> Decomposition:
    """A polynomial in the own token and power means, fitted to any smooth target, for one n (mathematics: section 3)."""
    found = fit(target, tolerance / 2)
    what = f"fitted polynomial of degree {found.degree}, {found.functions} functions of the own token and means"
    return replace(decompose(found.outputs, target.box.sides, target.n), every_n=False, missed=found.missed, density=what,
                   stands_in=found.outputs)


CONSTRUCTIONS: dict[str, Callable[[Target, Fraction], Decomposition]] = {
    "sum-decomposition": sum_decomposition, "power-sums": power_sums, "order-statistics": order_statistics, "fit": fitted}


def evaluated_up_to(target: Target, every_n: bool, number_format: NumberFormat) -> int:
    """Return the sequence length up to which the bound covers evaluation in the format."""
    return max(EVALUATED_UP_TO[number_format.name], target.n) if every_n else target.n


@functools.lru_cache(maxsize=4)  # a plan compares constructions, then one of them is built
def compile_target(target: AnyTarget, tolerance: Fraction, method: str, heads: tuple[PoolingHead, ...] = (), *,
                   limits: Limits = DEFAULT_LIMITS, number_format: NumberFormat = FLOAT64) -> tuple[Decomposition, Compiled]:
    """Return the decomposition and the network of one method.

    Raises:
        Refused: the method does not apply or does not reach the tolerance, with the reason.
    """
    if isinstance(target, CallableTarget):
        raise Refused(f"{method} rewrites an expression; {target.name} is an opaque callable")
    try:
        return _compiled(target, tolerance, method, heads, limits, number_format)
    except Refused as refused:
        if method == "fit":
            raise
        instead = lifted_instead(target, tolerance, refused)
    left = tolerance - instead.missed
    try:
        decomposition, compiled = _compiled(instead.target, left, method, heads, limits, number_format)
    except Refused as refused:
        raise Refused(f"with {instead.what}, which leaves {float(left):.3g} of eps: {refused}") from None
    every_n = decomposition.every_n and instead.every_n
    return (replace(decomposition, every_n=every_n, lifted=instead.target.text),
            compiled.beyond("lifted-root", instead.what, instead.missed))


def _compiled(target: Target, tolerance: Fraction, method: str, heads: Sequence[PoolingHead], limits: Limits,
              number_format: NumberFormat) -> tuple[Decomposition, Compiled]:
    try:
        with np.errstate(all="ignore"):  # design by estimates may overflow; what is certified is finite
            decomposition = CONSTRUCTIONS[method](target, tolerance)
            longest = evaluated_up_to(target, decomposition.every_n, number_format)
            roundings = 64 + max((head.roundings(longest) for head in heads), default=longest)
            left = _below(tolerance - decomposition.missed)
            built = functools.partial(compile_decomposition, tolerance=left, limits=limits, bits=number_format.bits,
                                      roundings=roundings)
            decomposition, compiled = smallest_built(decomposition, left, built)
            return decomposition, compiled.beyond("polynomial-density", decomposition.density, decomposition.missed)
    except OverflowError:
        raise Refused(f"{target.name} has values on {target.box} that float64 cannot hold") from None


def construct_continuous(target: Target, tolerance: Fraction, method: str, heads: Sequence[PoolingHead], *,
                         limits: Limits = DEFAULT_LIMITS, number_format: NumberFormat = FLOAT64) -> ContinuousConstruction:
    """Write the weights down: phi and psi once, and the blocks of every architecture around them."""
    decomposition, compiled = compile_target(target, tolerance, method, tuple(heads), limits=limits, number_format=number_format)
    if number_format.bits == 24:
        compiled = compiled.rounded(np.float32)
    architectures = tuple(assemble_mean(compiled.sumformer, head, target.n, number_format) for head in heads)
    longest = evaluated_up_to(target, decomposition.every_n, number_format)
    return ContinuousConstruction(target, tolerance, method, decomposition.every_n, longest, number_format, compiled,
                                  architectures, decomposition.stands_in, decomposition.missed, decomposition.lifted)


def _below(tolerance: Fraction) -> float:
    value = float(tolerance)
    return value if Fraction(value) <= tolerance else float(np.nextafter(value, 0.0))
