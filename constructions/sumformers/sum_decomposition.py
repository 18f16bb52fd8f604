"""Rewrite a target as h(x, means of token-wise functions), one node for each thing a network has to approximate
(mathematics: sum-decomposition, separable-kernel, order-statistics).

Every sub-expression becomes a :class:`Value`: a constant, an affine form of exact quantities, or a smooth function of one
affine form. Only where two different forms meet in a product, a kink or another function are nodes made. Powers of n are
carried along, so that sum(a)/sum(b) is seen to be mean(a)/mean(b) and the result holds for every n at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from flint import arb

from constructions.errors import Refused
from constructions.pieces.forms import Form, Quantity, ball, ends
from constructions.pieces.kernel import Kernels
from constructions.pieces.mean import Mean, Rectified, Renamed
from constructions.pieces.node import Node
from constructions.pieces.order import OrderStatistic
from constructions.pieces.product import Product
from constructions.pieces.quotient import Quotient
from constructions.pieces.smooth import Smooth
from constructions.pieces.univariate import Univariate
from constructions.sumformers.rewriting import (
    analytic,
    averaged,
    coefficients,
    composed,
    constant_tree,
    deviation,
    factors,
    substituted,
    with_own,
    without_factor,
)
from constructions.sumformers.separable import other_only, separate_symbolically
from constructions.targets import expression as ex

T = ex.Own(0)
ONE = ex.Number(Fraction(1))


@dataclass(frozen=True)
class Value:
    """n^order times: a constant tree, an affine ``form``, or a smooth ``tree`` of the affine form ``argument``."""

    tree: ex.Expression | None = None
    argument: Form | None = None
    form: Form | None = None
    order: int = 0

    @property
    def constant(self) -> bool:
        """Whether it is a number."""
        return self.form is None and self.argument is None


@dataclass(eq=False)
class Decomposition:
    """Outputs as affine forms of quantities, and the nodes that define these, in an order in which they can be computed.

    Attributes:
        tokens: the quantities x.0, .., x.{d-1} (and the position i/n where the target uses it).
        every_n: whether the same decomposition holds for every n >= 2.
        missed: how far it is from the target (0 unless a polynomial stands in for it).
        density: what stands in.
        stands_in: its expressions, where ``missed`` is estimated and the checker has to prove it.
    """

    tokens: tuple[Quantity, ...]
    outputs: tuple[Form, ...]
    nodes: tuple[Node, ...]
    every_n: bool
    missed: Fraction = Fraction(0)
    density: str = ""
    stands_in: tuple[ex.Expression, ...] = ()


def decompose(outputs: Sequence[ex.Expression], sides: Sequence[tuple[Fraction, Fraction]], n: int) -> Decomposition:
    """Decompose expressions in which ``n`` may still occur as a symbol.

    Args:
        outputs: one tree an output, powers resolved.
        sides: the box of a token.
        n: used only where the target itself depends on n; then ``every_n`` is False.

    Raises:
        Refused: a sub-expression has no decomposition here, with the reason and its column.
    """
    reader = _Reader(sides, n)
    forms = tuple(reader.form(reader.value(output)) for output in outputs)
    return Decomposition(reader.tokens, forms, tuple(_with_shared_kernels(reader.nodes)), reader.every_n)


def over_sorted_tokens(outputs: Sequence[ex.Expression], sides: Sequence[tuple[Fraction, Fraction]], n: int) -> Decomposition:
    """Decompose with every reduction written over the sorted tokens: f as a function of x and all order statistics.

    Raises:
        Refused: d > 1, n too large, or as :func:`decompose`.
    """
    if len(sides) != 1 or n > MAX_SORTED:
        raise Refused(f"all order statistics need d = 1 and n <= {MAX_SORTED}, got d = {len(sides)}, n = {n}")
    if not any(isinstance(node, ex.Reduction | ex.OrderStatistic) for output in outputs for node in output.walk()):
        raise Refused("the target does not depend on the other tokens: there is nothing to sort")
    return decompose([_over_sorted(output, n) for output in outputs], sides, n)


def _over_sorted(node: ex.Expression, n: int) -> ex.Expression:
    """Replace mean, sum, max and min by their values on the order statistics."""
    node = ex.mapped(node, lambda child: _over_sorted(child, n))
    if not isinstance(node, ex.Reduction):
        return node
    parts = [substituted(node.body, ex.OrderStatistic(ex.Number(Fraction(rank)))) for rank in range(1, n + 1)]
    operator = {"max": "maximum", "min": "minimum"}.get(node.kind, "+")
    total = parts[0]
    for part in parts[1:]:
        total = ex.Binary(operator, total, part)
    return ex.Binary("/", total, ex.Number(Fraction(n))) if node.kind == "mean" else total


def _with_shared_kernels(nodes: Sequence[Node]) -> list[Node]:
    """Join kernels of the same arguments into one node, so that they share the functions of the own token."""
    joined: dict[object, list[Kernels]] = {}
    for node in nodes:
        if isinstance(node, Kernels):
            joined.setdefault((tuple(form.key() for form in node.outer), node.tokens), []).append(node)
    first = {group[0]: Kernels.joined(group) for group in joined.values()}
    later = {node for group in joined.values() for node in group[1:]}
    return [first.get(node, node) if isinstance(node, Kernels) else node for node in nodes if node not in later]


@dataclass(eq=False)
class _Reader:
    sides: Sequence[tuple[Fraction, Fraction]]
    n: int
    every_n: bool = True
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = tuple(Quantity(f"x.{c}", ball(a).union(ball(b)), True) for c, (a, b) in enumerate(self.sides))
        self.known: dict[ex.Expression, Value] = {}
        self.made: dict[object, Quantity] = {}

    # -- values -------------------------------------------------------------------------------------------------------

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
                return self._scaled(self.value(argument), ex.Number(Fraction(-1)))
            case ex.Apply(function="abs" | "relu" as name, argument=argument):
                return self._kink(name, argument)
            case ex.Apply(function=name, argument=argument):
                return self._function(ex.Apply(name, T, column=node.column), self.value(argument))
            case ex.Power(base=base, exponent=ex.Number() as exponent):
                inner = self.value(base)
                k = int(exponent.value)
                raised = self._function(ex.Power(T, exponent, column=node.column), replace(inner, order=0))
                return replace(raised, order=inner.order * k)
            case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
                sign = ex.Number(Fraction(1 if operator == "+" else -1))
                return self._sum(self.value(left), self._scaled(self.value(right), sign))
            case ex.Binary(operator="*"):
                return self._product([self.value(factor) for factor in factors(node)])
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

    def _concrete(self, value: Value) -> Value:
        """Multiply a power of n out; from there on the construction is for this n."""
        if value.order == 0:
            return value
        self.every_n = False
        return self._scaled(replace(value, order=0), ex.Number(Fraction(self.n) ** value.order))

    def _scaled(self, value: Value, factor: ex.Expression) -> Value:
        rational = ex.rational_value(factor)
        if rational == 1:
            return value
        if value.form is not None:
            if rational is None:
                middle, radius = _rational(self._ball(factor))
                slack = radius * Fraction(ends(abs(value.form.range()))[1])
                scaled = value.form * middle
                return replace(value, form=replace(scaled, slack=scaled.slack + slack))
            return replace(value, form=value.form * rational)
        return replace(value, tree=ex.Binary("*", factor, _tree(value)))

    def _sum(self, a: Value, b: Value) -> Value:
        if a.order != b.order:
            a, b = self._concrete(a), self._concrete(b)
        order = a.order
        if a.constant and b.constant:
            return Value(tree=ex.Binary("+", _tree(a), _tree(b)), order=order)
        if a.argument is not None and (b.constant or self._parallel(a, b)):
            return replace(self._combined("+", a, b), order=order)
        if b.argument is not None and self._parallel(a, b):
            return replace(self._combined("+", a, b), order=order)
        total = self.form(replace(a, order=0)) + self.form(replace(b, order=0))
        if total.terms or total.slack:  # an irrational constant stays a form: it carries how far it was rounded
            return Value(form=total, order=order)
        return Value(tree=ex.Number(total.constant), order=order)

    def _product(self, factors: Sequence[Value]) -> Value:
        order = sum(value.order for value in factors)
        constants = [_tree(value) for value in factors if value.constant]
        others = self._grouped([replace(value, order=0) for value in factors if not value.constant])
        if not others:
            result = Value(tree=constants[0])
        else:
            result = others[0]
            for other in others[1:]:
                result = self._times(result, other)
        start = 0 if others else 1
        for constant in constants[start:]:
            result = self._scaled(result, constant)
        return replace(result, order=order)

    def _grouped(self, values: list[Value]) -> list[Value]:
        """Multiply values along the same direction into one smooth function of it."""
        groups: list[Value] = []
        for value in values:
            for i, group in enumerate(groups):
                if self._parallel(group, value):
                    groups[i] = self._combined("*", group, value)
                    break
            else:
                groups.append(value)
        return groups

    def _times(self, a: Value, b: Value) -> Value:
        p, q = self.form(a), self.form(b)
        if not p.terms or not q.terms:  # a constant in disguise, x**0 for one
            constant, other = (p, q) if not p.terms else (q, p)
            if constant.slack:
                raise Refused(f"the constant {_shown(constant)} is not rational")
            return self._scaled(Value(form=other) if other.terms else Value(tree=ex.Number(other.constant)),
                                ex.Number(constant.constant))
        key = ("product", frozenset({p.key(), q.key()}))
        if key not in self.made:
            self._add(key, Product(f"({_shown(p)})*({_shown(q)})", p, q, p.range() * q.range()))
        return Value(form=Form.of(self.made[key]))

    def _quotient(self, node: ex.Binary, left: ex.Expression, right: ex.Expression) -> Value:
        a, b = self.value(left), self.value(right)
        order = a.order - b.order
        a, b = replace(a, order=0), replace(b, order=0)
        if b.constant:
            return replace(self._scaled(a, ex.Binary("/", ONE, _tree(b))), order=order)
        reciprocal = self._function(ex.Power(T, ex.Number(Fraction(-1)), column=node.column), b)
        if a.constant or b.form is None or self._parallel(a, b):
            return replace(self._product([a, reciprocal]), order=order)
        p, q = self.form(a), self.form(b)
        r = next(iter(self.form(reciprocal).terms))
        values = p.range() / q.range()
        average = averaged(left, right)
        if average is not None:  # an average of u with positive weights lies in the range of u
            values = _meet(values, self.natural(average))
        key = ("quotient", p.key(), q.key())
        if key not in self.made:
            self._add(key, Quotient(f"({_shown(p)})/({_shown(q)})", p, q, r, values))
        return Value(form=Form.of(self.made[key]), order=order)

    def _function(self, outer: ex.Expression, value: Value) -> Value:
        value = self._concrete(value)
        if value.constant:
            return Value(tree=composed(outer, _tree(value)))
        inner = self._as_smooth(value)
        return replace(inner, tree=composed(outer, _tree(inner)))

    def _as_smooth(self, value: Value) -> Value:
        """Write a form as a function of its direction."""
        if value.form is None:
            return value
        if value.form.slack:
            name = self._renamed(value.form, value.form.range(), "form")
            return Value(tree=T, argument=name)
        direction, a, b = value.form.proportional()
        tree: ex.Expression = T if a == 1 else ex.Binary("*", ex.Number(a), T)
        return Value(tree=tree if b == 0 else ex.Binary("+", tree, ex.Number(b)), argument=direction)

    def _parallel(self, a: Value, b: Value) -> bool:
        if a.constant or b.constant:
            return False
        return self._as_smooth(a).argument == self._as_smooth(b).argument

    def _combined(self, operator: str, a: Value, b: Value) -> Value:
        a, b = (value if value.constant else self._as_smooth(value) for value in (a, b))
        argument = a.argument if a.argument is not None else b.argument
        return Value(tree=ex.Binary(operator, _tree(a), _tree(b)), argument=argument)

    # -- nodes --------------------------------------------------------------------------------------------------------

    def form(self, value: Value) -> Form:
        """Return an affine form with the value, making a node for a smooth function."""
        value = self._concrete(value)
        if value.form is not None:
            return value.form
        tree = _tree(value)
        if value.argument is None:
            exact = ex.rational_value(tree)
            if exact is not None:
                return Form(constant=exact)
            middle, radius = _rational(self._ball(tree))
            return Form(constant=middle, slack=radius)
        factor, tree = without_factor(tree)
        polynomial = coefficients(tree)
        if polynomial is not None:
            return self._polynomial(polynomial, value.argument) * factor
        if isinstance(tree, ex.Binary) and tree.operator in "+-":
            parts = [Value(tree=part, argument=value.argument) for part in (tree.left, tree.right)]
            if any(coefficients(part) is not None for part in (tree.left, tree.right)):
                left, right = (self.form(part) for part in parts)
                return (left + right if tree.operator == "+" else left - right) * factor
        key = ("smooth", tree, value.argument.key())
        if key not in self.made:
            self._add(key, Univariate(Smooth(tree), value.argument))
        return Form.of(self.made[key]) * factor

    def _polynomial(self, c: Sequence[Fraction], t: Form) -> Form:
        """Return c_0 + c_1 t + c_2 t^2 + ..: all of degree 2 share one square, others are one monic node without affine part."""
        affine = (t * c[1]).shifted(c[0]) if len(c) > 1 else Form(constant=c[0])
        if len(c) <= 2:
            return affine
        tree: ex.Expression = ex.Power(T, ex.Number(Fraction(len(c) - 1)))
        for k in range(len(c) - 2, 1, -1):
            if c[k]:
                power = ex.Power(T, ex.Number(Fraction(k)))
                tree = ex.Binary("+", tree, ex.Binary("*", ex.Number(c[k] / c[-1]), power))
        key = ("smooth", tree, t.key())
        if key not in self.made:
            self._add(key, Univariate(Smooth(tree), t))
        return affine + Form.of(self.made[key]) * c[-1]

    def _add(self, key: object, node: Node) -> None:
        self.nodes.append(node)
        self.made[key] = node.outputs[0]

    def _renamed(self, form: Form, values: arb, name: str) -> Form:
        key = ("renamed", form.key(), form.slack)
        if key not in self.made:
            self._add(key, Renamed(name, form, values))
        return Form.of(self.made[key])

    def _kink(self, name: str, argument: ex.Expression) -> Value:
        inner = self._concrete(self.value(argument))
        if inner.constant:
            tree = _tree(inner)
            positive = self._ball(tree) >= 0
            if positive:
                return inner
            if not self._ball(tree) <= 0:
                raise Refused(f"the sign of {tree} (column {argument.column}) is not decided")
            return self._scaled(inner, ex.Number(Fraction(-1 if name == "abs" else 0)))
        form = self.form(inner)
        positive_part = self._rectified(form)
        return Value(form=positive_part * Fraction(2) - form if name == "abs" else positive_part)

    def _rectified(self, form: Form) -> Form:
        low, high = ends(form.range())
        if low >= 0:
            return form
        if high <= 0:
            return Form()
        key = ("relu", form.key())
        if key not in self.made:
            self._add(key, Rectified(f"relu({_shown(form)})", form, arb(0).union(form.range().upper())))
        return Form.of(self.made[key])

    def _larger(self, operator: str, left: ex.Expression, right: ex.Expression) -> Value:
        a, b = (self._concrete(self.value(part)) for part in (left, right))
        p, q = self.form(a), self.form(b)
        larger = q + self._rectified(p - q) if operator == "maximum" else p - self._rectified(p - q)
        return Value(form=larger) if larger.terms or larger.slack else Value(tree=ex.Number(larger.constant))

    # -- reductions ---------------------------------------------------------------------------------------------------

    def _mean(self, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return self.value(body)
        terms = separate_symbolically(body)
        total: Value | None = None
        for outer, inner in terms:
            factor = self.value(outer)
            mean = self._kernel(inner) if not other_only(inner) else self._token_mean(inner)
            part = self._product([factor, mean])
            total = part if total is None else self._sum(total, part)
        if total is None:
            raise Refused(f"mean({body}) has no terms")  # pragma: no cover
        return total

    def _token_mean(self, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return Value(tree=ONE) if body == ONE else self.value(body)
        value = self.value(with_own(body))
        order, form = value.order, self.form(replace(value, order=0))
        return Value(form=self._mean_form(form), order=order)

    def _mean_form(self, form: Form) -> Form:
        return Form({self.mean(q): c for q, c in form.terms.items()}, form.constant, form.slack)

    def mean(self, quantity: Quantity) -> Quantity:
        """Return the mean of a token quantity."""
        key = ("mean", id(quantity))
        if key not in self.made:
            self._add(key, Mean(quantity))
        return self.made[key]

    def token_form(self, body: ex.Expression) -> Form:
        """Return a token-wise function of y as a form of the own token."""
        return self.form(self.value(with_own(body)))

    def _kernel(self, body: ex.Expression) -> Value:
        """mean over y of a body that mixes y with the own token or with means."""
        kinds = [node for node in body.walk() if isinstance(node, ex.Apply | ex.Binary) and not analytic(node)]
        if kinds:
            return self._over_sorted(body, kinds[0])
        tokens = sorted({node.coordinate for node in body.walk() if isinstance(node, ex.Other)})
        tree, outer = self._kernel_tree(body, tokens)
        K = Smooth(tree, len(outer) + len(tokens))
        key = ("kernel", tree, tuple(form.key() for form in outer), tuple(tokens))
        if key not in self.made:
            node = Kernels([K], outer, [self.tokens[c] for c in tokens])
            self._add(key, node)
        return Value(form=Form.of(self.made[key]))

    def _kernel_tree(self, body: ex.Expression, tokens: Sequence[int]) -> tuple[ex.Expression, list[Form]]:
        """Replace maximal y-free sub-expressions by variables 0 .. p-1, the coordinates of y by p, p+1, .."""
        outer: list[tuple[ex.Expression, Form]] = []

        def visit(node: ex.Expression) -> ex.Expression:
            if isinstance(node, ex.Other):
                return ex.Own(10_000 + tokens.index(node.coordinate), column=node.column)
            if not ex.depends_on(node, ex.Other):
                if constant_tree(node):
                    return node
                value = self._concrete(self.value(node))
                if value.constant:
                    return _tree(value)
                form = self.form(value) if value.form is None else value.form
                simple = self._as_smooth(Value(form=form))
                if simple.argument is None:
                    raise Refused(f"{node} is not an argument")  # pragma: no cover
                for v, (_, known) in enumerate(outer):
                    if known == simple.argument:
                        return composed(_tree(simple), ex.Own(v))
                outer.append((node, simple.argument))
                return composed(_tree(simple), ex.Own(len(outer) - 1))
            return ex.mapped(node, visit)

        def settle(node: ex.Expression) -> ex.Expression:
            if isinstance(node, ex.Own):
                v = node.coordinate
                return ex.Own(v - 10_000 + len(outer) if v >= 10_000 else place[v], column=node.column)
            return ex.mapped(node, settle)

        # one order of the arguments whatever the text, so that kernels of the same arguments are seen to be such
        tree = visit(body)
        order = sorted(range(len(outer)), key=lambda v: sorted(q.name for q in outer[v][1].terms))
        place = {v: k for k, v in enumerate(order)}
        return settle(tree), [outer[v][1] for v in order]

    def _over_sorted(self, body: ex.Expression, kink: ex.Expression) -> Value:
        """d = 1: mean over y of a body with a kink between x and y, through all order statistics of this n."""
        if len(self.sides) != 1 or self.n > MAX_SORTED:
            raise Refused(f"{kink} (column {kink.column}) bends where y meets the own token: its mean is decomposed through all "
                          f"order statistics, which needs d = 1 and n <= {MAX_SORTED} (here d = {len(self.sides)}, n = {self.n})")
        self.every_n = False
        total: Value | None = None
        for rank in range(1, self.n + 1):
            statistic = ex.OrderStatistic(ex.Number(Fraction(rank)), column=kink.column)
            part = self.value(substituted(body, statistic))
            total = part if total is None else self._sum(total, part)
        if total is None:
            raise Refused("no tokens")  # pragma: no cover
        return self._scaled(total, ex.Number(Fraction(1, self.n)))

    def _extremum(self, node: ex.Expression, kind: str, body: ex.Expression) -> Value:
        if not ex.depends_on(body, ex.Other):
            return self.value(body)
        if other_only(body):
            return self._order(self.token_form(body), 1 if kind == "max" else self.n)
        if len(self.sides) != 1 or self.n > MAX_SORTED:
            raise Refused(f"{node} (column {node.column}) mixes x and y: it is decomposed through all order statistics, which "
                          f"needs d = 1 and n <= {MAX_SORTED} (here d = {len(self.sides)}, n = {self.n})")
        self.every_n = False
        parts = [substituted(body, ex.OrderStatistic(ex.Number(Fraction(rank)))) for rank in range(1, self.n + 1)]
        larger = parts[0]
        for part in parts[1:]:
            larger = ex.Binary("maximum" if kind == "max" else "minimum", larger, part)
        return self.value(larger)

    def _order(self, form: Form, rank: int) -> Value:
        self.every_n = False
        key = ("order", rank, form.key())
        if key not in self.made:
            self._add(key, OrderStatistic(form, rank, self.n, form.range()))
        return Value(form=Form.of(self.made[key]))

    def _rank(self, rank: ex.Expression) -> int:
        fixed = ex.rational_value(ex.specialise(rank, self.n))
        if fixed is None or fixed.denominator != 1 or not 1 <= fixed <= self.n:
            raise Refused(f"order({rank}) needs a whole number from 1 to n = {self.n}")
        return int(fixed)

    # -- ranges -------------------------------------------------------------------------------------------------------

    def _narrowed(self, node: ex.Expression, value: Value) -> Value:
        """Give a form the range that its expression shows where that is sharper (mathematics: range lemmas).

        m_2 - m_1^2 alone does not show that a variance is not negative; mean((y - m)**2) does.
        """
        if value.form is None or value.order or not isinstance(node, ex.Reduction) or len(value.form.terms) < 2:
            return value
        shown, known = self.natural(node), value.form.range()
        narrow = _meet(known, shown)
        width = [float((r.upper() - r.lower()).upper()) for r in (narrow, known)]
        return Value(form=self._renamed(value.form, narrow, f"{node}")) if width[0] < 0.9 * width[1] else value

    def natural(self, node: ex.Expression) -> arb:
        """Enclose an expression by interval arithmetic on the tree as written, free y allowed."""
        match node:
            case ex.Number() | ex.Pi():
                return self._ball(node)
            case ex.Length():
                return arb(self.n)
            case ex.Own(coordinate=c) | ex.Other(coordinate=c):
                return self.tokens[c].range
            case ex.OrderStatistic():
                return self.tokens[0].range
            case ex.Reduction(kind=kind, body=body):
                inner = self.natural(body)
                spread = deviation(body)
                if spread is not None:  # Popoviciu: a variance is at most a quarter of the squared width
                    low, high = ends(self.natural(spread))
                    inner = _meet(inner, arb(0).union(ball(Fraction(high) - Fraction(low)) ** 2 / 4))
                return inner * self.n if kind == "sum" else inner
            case ex.Apply(function="abs", argument=argument):
                return abs(self.natural(argument))
            case ex.Apply(function="relu", argument=argument):
                return self.natural(argument).max(arb(0))
            case ex.Binary(operator="maximum", left=left, right=right):
                return self.natural(left).max(self.natural(right))
            case ex.Binary(operator="minimum", left=left, right=right):
                return self.natural(left).min(self.natural(right))
            case ex.Power(base=base):
                return Smooth(replace(node, base=T)).ball(self.natural(base))
            case ex.Apply(argument=argument):
                return Smooth(replace(node, argument=T)).ball(self.natural(argument))
            case ex.Binary(left=left, right=right):
                return Smooth(replace(node, left=T, right=ex.Own(1)), 2).ball(self.natural(left), self.natural(right))
        raise TypeError(f"{node} has no range")

    def _ball(self, tree: ex.Expression) -> arb:
        return Smooth(tree, 0).ball()


MAX_SORTED = 12


def _tree(value: Value) -> ex.Expression:
    if value.tree is None:
        raise TypeError("a form has no tree")
    return value.tree


def _rational(value: arb) -> tuple[Fraction, Fraction]:
    """Return a rational number and a bound of its distance from every point of a ball."""
    if not value.is_finite():
        raise Refused("a constant of the target is not finite")
    middle = Fraction(float(value.mid()))
    return middle, Fraction(ends(abs(value - ball(middle)))[1])


def _meet(a: arb, b: arb) -> arb:
    """Return the intersection of two enclosures of one value; the sharper one where balls cannot represent it."""
    if not b.is_finite():
        return a
    low = max(ends(a)[0], ends(b)[0])
    high = min(ends(a)[1], ends(b)[1])
    return ball(low).union(ball(high)) if low <= high else b


def _shown(form: Form) -> str:
    return " + ".join([f"{c}*{q.name}" if c != 1 else q.name for q, c in form.terms.items()][:3])
