"""Rewrite a target as h(x, means of token-wise functions), one node for each thing a network has to approximate
(mathematics: sum-decomposition, separable-kernel, order-statistics).

Every sub-expression becomes a :class:`Value`: a constant, an affine form of exact quantities, or a smooth function of one
affine form. Only where two different forms meet in a product, a kink or another function are nodes made. Powers of n are
carried along, so that sum(a)/sum(b) is seen to be mean(a)/mean(b) and the result holds for every n at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from flint import arb

from constructions.errors import Refused
from constructions.pieces.forms import Form, Quantity, ball, ends, width
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.pieces.kernel import Kernels
from constructions.pieces.mean import Mean
from constructions.pieces.node import Node
from constructions.pieces.order import OrderStatistic
from constructions.pieces.quotient import Quotient
from constructions.pieces.smooth import Smooth
from constructions.sumformers.exponential_averages import exponential_average
from constructions.sumformers.extrema import of_forms, taken_apart
from constructions.sumformers.kernel_arguments import kernel_tree, other_coordinates, with_shared_kernels
from constructions.sumformers.natural_range import constant_ball, meet, natural_range
from constructions.sumformers.paired_kernels import Pair, paired
from constructions.sumformers.rewriting import analytic, averaged, averaged_factor, factors, unbound, with_own
from constructions.sumformers.separable import other_only, separate_symbolically
from constructions.sumformers.signs import without_idle_kinks
from constructions.sumformers.sorted_tokens import CHOICE, MAX_SORTED, at_every_rank
from constructions.sumformers.values import ONE, Algebra, T, Value, shown, tree_of, value_of
from constructions.targets import expression as ex

NEAR = 1 / 64  # to 0, of the largest value
EXACT = ("x.", "mean(x.")  # quantities that a network does not approximate


@dataclass(eq=False)
class Decomposition:
    """Outputs as affine forms of quantities, and the nodes that define these, in an order in which they can be computed.

    Attributes:
        tokens: the quantities x.0, .., x.{d-1} (and the position i/n where the target uses it).
        every_n: whether the same decomposition holds for every n >= 2.
        missed: how far it is from the target (0 unless a polynomial stands in for it).
        density: what stands in.
        stands_in: its expressions, where ``missed`` is estimated and the checker has to prove it.
        lifted: the text with the roots lifted that was decomposed in the place of the target, "" for the target itself.
        others: make the same in another way, by its name: one of the options of :func:`decompose`, where it may change anything.
    """

    tokens: tuple[Quantity, ...]
    outputs: tuple[Form, ...]
    nodes: tuple[Node, ...]
    every_n: bool
    missed: Fraction = Fraction(0)
    density: str = ""
    stands_in: tuple[ex.Expression, ...] = ()
    lifted: str = ""
    others: Mapping[str, Callable[[], Decomposition]] = field(default_factory=dict)


def decompose(outputs: Sequence[ex.Expression], sides: Sequence[tuple[Fraction, Fraction]], n: int, *,
              guarded: bool = False, straight: bool = False, logarithms: bool = False) -> Decomposition:
    """Decompose expressions in which ``n`` may still occur as a symbol.

    Args:
        outputs: one tree an output, powers resolved.
        sides: the box of a token.
        n: used only where the target itself depends on n; then ``every_n`` is False.
        guarded: whether what a network holds of the base of a root is kept away from 0.
        straight: whether every kernel that can be is put between straight lines, not only those that bend.
        logarithms: whether averages with exponential weights are formed from logarithms of sums of these.

    Raises:
        Refused: a sub-expression has no decomposition here, with the reason and its column.
    """
    reader = _Reader(sides, n, guarded, straight, logarithms)
    again = functools.partial(decompose, outputs, sides, n)
    try:
        forms = tuple(reader.algebra.form(reader.value(without_idle_kinks(output, sides))) for output in outputs)
    except Refused:  # of a quotient perhaps, which logarithms can do without
        if reader.weighted and not logarithms:
            return again(logarithms=True)
        raise
    ways = () if guarded or straight or logarithms else reader.other_ways
    return Decomposition(reader.tokens, forms, tuple(with_shared_kernels(reader.algebra.nodes)), reader.algebra.every_n,
                         others={way: functools.partial(again, **{way: True}) for way in ways})


class _Reader:
    """Expressions to values; each expression is read once."""

    def __init__(self, sides: Sequence[tuple[Fraction, Fraction]], n: int, guarded: bool, straight: bool, logarithms: bool
                 ) -> None:
        self.sides, self.n, self.algebra, self.guarded, self.straight = sides, n, Algebra(n), guarded, straight
        self.logarithms, self.weighted = logarithms, False  # whether there are averages to form so
        self.tokens = tuple(Quantity(f"x.{c}", ball(a).union(ball(b)), True) for c, (a, b) in enumerate(sides))
        self.known: dict[ex.Expression, Value] = {}
        self.bases: set[ex.Expression] = set()

    @property
    def other_ways(self) -> list[str]:
        """Name the options of decompose that what was read gives something to do."""
        found = {"guarded": bool(self.bases), "logarithms": self.weighted,
                 "straight": any(isinstance(node, Kernels) for node in self.algebra.nodes)}
        return [way for way, there in found.items() if there]

    def value(self, node: ex.Expression) -> Value:
        """Return the value of an expression without free y."""
        if node not in self.known:
            self.known[node] = self._narrowed(node, self._value(node))
        return self.known[node]

    def _value(self, node: ex.Expression) -> Value:
        match node:
            case ex.Number() | ex.Pi():
                return Value(tree=node)
            case ex.Length():
                return Value(tree=ONE, order=1)
            case ex.Own(coordinate=c):
                return Value(form=Form.of(self.tokens[c]))
            case ex.Apply(function="neg", argument=argument):
                return self.algebra.scaled(self.value(argument), ex.Number(Fraction(-1)))
            case ex.Apply(function="abs" | "relu" as name, argument=argument):
                return self._kink(name, argument)
            case ex.Apply(function=name, argument=argument):
                if (power := ex.fractional_power(node)) is not None:
                    self._base(power[1])
                return self.algebra.function(ex.Apply(name, T, column=node.column), self.value(argument))
            case ex.Power(base=base, exponent=ex.Number() as exponent):
                inner = self.value(base)
                k = int(exponent.value)
                raised = self.algebra.function(ex.Power(T, exponent, column=node.column), replace(inner, order=0))
                return replace(raised, order=inner.order * k)
            case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
                sign = ex.Number(Fraction(1 if operator == "+" else -1))
                return self.algebra.sum(self.value(left), self.algebra.scaled(self.value(right), sign))
            case ex.Binary(operator="*"):
                return self.algebra.product([self.value(factor) for factor in factors(node)])
            case ex.Binary(operator="/", left=left, right=right):
                return self._quotient(node, left, right)
            case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right):
                return self._larger(operator, left, right)
            case ex.Reduction(kind="mean" | "sum" as kind, body=body):
                mean = self._mean(body)
                return mean if kind == "mean" else replace(mean, order=mean.order + 1)
            case ex.Reduction(kind="max" | "min" as kind, body=body):
                return self._extremum(node, kind, body)
            case ex.OrderStatistic(rank=rank):
                return self._order(self.token_form(ex.Other(0)), self._rank(rank))
        raise Refused(f"{node} (column {node.column}) has no continuous construction")

    def _quotient(self, node: ex.Binary, left: ex.Expression, right: ex.Expression) -> Value:
        average = averaged(left, right)
        self.weighted |= average is not None
        if average is None and (taken := averaged_factor(left, right)) is not None:
            factor, others = taken
            quotient = ex.Binary("/", factor, right, column=node.column)
            return self.algebra.product([*map(self.value, others), self.value(quotient)])
        if self.logarithms and (found := self._in_logarithms(right, average)) is not None:
            return found
        a, b = self.value(left), self.value(right)
        order = a.order - b.order
        a, b = replace(a, order=0), replace(b, order=0)
        if b.constant:
            return replace(self.algebra.scaled(a, ex.Binary("/", ONE, tree_of(b))), order=order)
        inverse = ex.Power(T, ex.Number(Fraction(-1)), column=node.column)
        if a.constant or b.form is None or not b.form.terms or self.algebra.parallel(a, b):
            return replace(self.algebra.product([a, self.algebra.function(inverse, b)]), order=order)
        p, q = self.algebra.form(a), b.form
        r = self.algebra.smooth(inverse, q)  # of q itself, not of its direction: the two belong together
        values = p.range() / q.range()
        if average is not None:  # an average of u with positive weights lies in the range of u
            within = natural_range(average, self.tokens, self.n)
            if centred := self._centred(node, average, within):
                return centred
            values = meet(values, within)
        key = ("quotient", p.key(), q.key())
        if key not in self.algebra.made:
            self.algebra.add(key, Quotient(f"({shown(p)})/({shown(q)})", p, q, r, values))
        return Value(form=Form.of(self.algebra.made[key]), order=order)

    def _in_logarithms(self, divisor: ex.Expression, average: ex.Expression | None) -> Value | None:
        """Read mean(w u)/mean(w) with exponential weights w as one node, None where it is none."""
        if average is None or not isinstance(divisor, ex.Reduction):
            return None
        key = ("average", divisor.body, average)
        if key not in self.algebra.made:
            found = exponential_average(divisor.body, average, self.tokens, self.value, self.algebra)
            if found is None:
                return None
            self.algebra.add(key, found)
        return Value(form=Form.of(self.algebra.made[key]))

    def _centred(self, node: ex.Binary, average: ex.Expression, within: arb) -> Value | None:
        """Read mean(w u)/mean(w) as c + mean(w (u - c))/mean(w) where w bends; None where it does not, or c is near 0 anyway.

        What is wrong with w counts as |u - c| and as |F - c|, F the quotient: least for c in the middle of u.
        """
        middle = Fraction(float(within.mid())).limit_denominator(1000)
        match node.right:
            case ex.Reduction(kind=kind, body=w) if not all(map(analytic, unbound(w))) and abs(middle) > width(within) / 16:
                shifted = ex.Binary("*", w, ex.Binary("-", average, ex.Number(middle)))
                quotient = self.value(ex.Binary("/", ex.Reduction(kind, shifted), node.right, column=node.column))
                return self.algebra.sum(Value(tree=ex.Number(middle)), quotient)
        return None

    def _kink(self, name: str, argument: ex.Expression) -> Value:
        inner = self.algebra.concrete(self.value(argument))
        if inner.constant:
            tree = tree_of(inner)
            positive = constant_ball(tree) >= 0
            if positive:
                return inner
            if not constant_ball(tree) <= 0:
                raise Refused(f"the sign of {tree} (column {argument.column}) is not decided")
            return self.algebra.scaled(inner, ex.Number(Fraction(-1 if name == "abs" else 0)))
        form = self.algebra.form(inner)
        positive_part = self.algebra.rectified(form)
        return Value(form=positive_part * Fraction(2) - form if name == "abs" else positive_part)

    def _base(self, node: ex.Expression) -> None:
        """Read the base of a root: where it comes near 0, what a network holds of it may be kept above half of its least value.

        u = l/2 + relu(u - l/2) for u >= l: exact, and where u is off by more than l no root of a negative number is asked for.
        """
        base = self.value(node)
        if node in self.bases or base.form is None or base.order or all(q.name.startswith(EXACT) for q in base.form.terms):
            return
        low, high = ends(base.form.range())
        if not 0 < low < NEAR * high or base.form.shifted(-base.form.constant).positive_part:  # a unit is never below 0
            return
        self.bases.add(node)
        if self.guarded:
            half = Fraction(low) / 2
            self.known[node] = value_of(self.algebra.rectified(base.form.shifted(-half), always=True).shifted(half))

    def _larger(self, operator: str, left: ex.Expression, right: ex.Expression) -> Value:
        a, b = (self.algebra.concrete(self.value(part)) for part in (left, right))
        p, q = self.algebra.form(a), self.algebra.form(b)
        above = self.algebra.rectified(self.algebra.cancelled(p - q))
        return value_of(q + above if operator == "maximum" else p - above)

    def _mean(self, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return self.value(body)
        total: Value | None = None
        for term in separate_symbolically(body):
            outer, inner = (without_idle_kinks(part, self.sides) for part in term)
            factor = self.value(outer)
            mean = self._kernel(inner) if not other_only(inner) else self._token_mean(inner)
            part = self.algebra.product([factor, mean])
            total = part if total is None else self.algebra.sum(total, part)
        if total is None:
            raise Refused(f"mean({body}) has no terms")  # pragma: no cover
        return total

    def _token_mean(self, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return Value(tree=ONE) if body == ONE else self.value(body)
        value = self.value(with_own(body))
        order, form = value.order, self.algebra.form(replace(value, order=0))
        return Value(form=self._mean_form(form), order=order)

    def _mean_form(self, form: Form) -> Form:
        means = {q: self.mean(q) for q in form.terms}
        irrational = {(q and means[q], number): times for (q, number), times in form.irrational.items()}
        return Form({means[q]: c for q, c in form.terms.items()}, form.constant, irrational)

    def mean(self, quantity: Quantity) -> Quantity:
        """Return the mean of a token quantity."""
        key = ("mean", id(quantity))
        if key not in self.algebra.made:
            self.algebra.add(key, Mean(quantity))
        return self.algebra.made[key]

    def token_form(self, body: ex.Expression) -> Form:
        """Return a token-wise function of y as a form of the own token."""
        return self.algebra.form(self.value(with_own(body)))

    def _kernel(self, body: ex.Expression) -> Value:
        """mean over y of a body that mixes y with the own token or with means."""
        kinks = [node for node in unbound(body) if isinstance(node, ex.Apply | ex.Binary) and not analytic(node)]
        tokens = other_coordinates(body)
        tree, outer = kernel_tree(body, tokens, self.value, self.algebra)
        if not outer:  # it is n that mixes with y
            return self._token_mean(ex.specialise(body, self.n))
        pair = paired(body, self.tokens, self.value, self.algebra) if kinks or self.straight else None
        if pair is not None:
            return self._bent(pair)
        if kinks:
            return self._over_sorted(body, kinks[0])
        key = ("kernel", tree, tuple(form.key() for form in outer), tuple(tokens))
        if key not in self.algebra.made:
            y = [self.tokens[c] for c in tokens]
            self.algebra.add(key, Kernels([Smooth(tree, len(outer) + len(tokens))], outer, y))
        return Value(form=Form.of(self.algebra.made[key]))

    def _bent(self, pair: Pair) -> Value:
        key = ("bent", pair.K, *(None if form is None else form.key() for form in (pair.u, pair.v, pair.w)))
        if key not in self.algebra.made:
            self.algebra.add(key, BentKernel(pair.K, pair.u, pair.v, pair.w))
        mean = Value(form=Form.of(self.algebra.made[key]))
        return mean if pair.outer == ONE else self.algebra.product([self.value(pair.outer), mean])

    def _over_sorted(self, body: ex.Expression, kink: ex.Expression) -> Value:
        """d = 1: mean over y of a body with a kink between x and y, through all order statistics of this n."""
        if len(self.sides) != 1 or self.n > MAX_SORTED:
            raise Refused(f"{kink} (column {kink.column}) bends where y meets the own token, and its kernel has more than one "
                          f"argument of either side: its mean is decomposed through all order statistics, which needs "
                          f"d = 1 and n <= {MAX_SORTED} (here d = {len(self.sides)}, n = {self.n})")
        self.algebra.every_n = False
        total: Value | None = None
        for at_rank in at_every_rank(body, self.n, kink.column):
            part = self.value(at_rank)
            total = part if total is None else self.algebra.sum(total, part)
        if total is None:
            raise Refused("no tokens")  # pragma: no cover
        return self.algebra.scaled(total, ex.Number(Fraction(1, self.n)))

    def _extremum(self, node: ex.Expression, kind: str, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return self.value(body)
        if other_only(body):
            return self._order(self.token_form(body), 1 if kind == "max" else self.n)
        apart, sortable = taken_apart(kind, body, self.sides, node.column), len(self.sides) == 1 and self.n <= MAX_SORTED
        if apart != node and (of_forms(apart) or not sortable):
            return self.value(without_idle_kinks(apart, self.sides))
        if not sortable:
            raise Refused(f"{node} (column {node.column}) mixes x and y: it is decomposed through all order statistics, which "
                          f"needs d = 1 and n <= {MAX_SORTED} (here d = {len(self.sides)}, n = {self.n})")
        self.algebra.every_n = False
        return self.value(ex.joined(CHOICE[kind], at_every_rank(body, self.n)))

    def _order(self, form: Form, rank: int) -> Value:
        self.algebra.every_n = False
        key = ("order", rank, form.key())
        if key not in self.algebra.made:
            self.algebra.add(key, OrderStatistic(form, rank, self.n, form.range()))
        return Value(form=Form.of(self.algebra.made[key]))

    def _rank(self, rank: ex.Expression) -> int:
        fixed = ex.rational_value(ex.specialise(rank, self.n))
        if fixed is None or fixed.denominator != 1 or not 1 <= fixed <= self.n:
            raise Refused(f"order({rank}) needs a whole number from 1 to n = {self.n}")
        return int(fixed)

    def _narrowed(self, node: ex.Expression, value: Value) -> Value:
        """Give a form the range that its expression shows where that is sharper (mathematics: range lemmas).

        m_2 - m_1^2 alone does not show that a variance is not negative, nor 2 relu(u) - u that |u| is not; mean((y - m)**2) and
        abs(u) do.
        """
        if value.form is None or len(value.form.terms) < 2:
            return value
        value = replace(value_of(self.algebra.cancelled(value.form)), order=value.order)
        if value.form is None or value.order or len(value.form.terms) < 2:
            return value
        known = narrow = value.form.range()
        name = "form"
        if isinstance(node, ex.Reduction) or _is_kink(node):
            name, narrow = f"{node}", meet(narrow, natural_range(node, self.tokens, self.n))
        if not self.algebra.every_n and not isinstance(node, ex.Reduction):
            narrow = meet(narrow, self._apart(value.form))
        return Value(form=self.algebra.renamed(value.form, narrow, name)) if width(narrow) < 0.9 * width(known) else value

    def _apart(self, form: Form) -> arb:
        """Enclose a form with the own token's part of every mean taken apart: mean(q) = q/n + (n - 1)/n of the others' mean."""
        terms = dict(form.terms)
        for q in form.terms:
            mean = self.algebra.made.get(("mean", id(q)))
            if mean is not None and mean in form.terms:
                terms[q] += form.terms[mean] / self.n
                terms[mean] *= Fraction(self.n - 1, self.n)
        return Form(terms, form.constant, form.irrational).range()


def _is_kink(node: ex.Expression) -> bool:
    match node:
        case ex.Apply(function=name) | ex.Binary(operator=name):
            return name in ("abs", *ex.PAIRS)
    return False
