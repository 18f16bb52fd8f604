"""The algebra of values: constants, affine forms and smooth functions of one form, with powers of n carried along.

Sums, products and functions along one direction stay one smooth function. Only where two different forms meet in a product or
a kink is a node made.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from flint import arb

from constructions.errors import Refused
from constructions.pieces.forms import Form, Irrational, Quantity, ball, ends, hull, width
from constructions.pieces.mean import Rectified, Renamed
from constructions.pieces.node import Node
from constructions.pieces.product import Product
from constructions.pieces.smooth import Smooth
from constructions.pieces.univariate import Univariate
from constructions.sumformers.natural_range import constant_ball
from constructions.sumformers.rewriting import affine, coefficients, composed, without_factor
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
class Algebra:
    """Arithmetic of values, and the nodes made so far, each once.

    Attributes:
        n: tokens of a sequence, used only where the target itself depends on n.
        every_n: whether it was not used yet.
        nodes: in an order in which they can be computed.
        made: the first output of each, by what it is.
        named: the forms that were given a name, with a sharper range.
    """

    n: int
    every_n: bool = True
    nodes: list[Node] = field(default_factory=list)
    made: dict[object, Quantity] = field(default_factory=dict)
    named: dict[Quantity, Form] = field(default_factory=dict)

    def concrete(self, value: Value) -> Value:
        """Multiply a power of n out; from there on the construction is for this n."""
        if value.order == 0:
            return value
        self.every_n = False
        return self.scaled(replace(value, order=0), ex.Number(Fraction(self.n) ** value.order))

    def scaled(self, value: Value, factor: ex.Expression) -> Value:
        """Return a value times a constant; times an irrational one, a form becomes a function of its direction."""
        rational = ex.rational_value(factor)
        if rational == 1:
            return value
        if value.form is not None and rational is not None:
            return replace(value, form=value.form * rational)
        inner = self.as_smooth(value)
        return replace(inner, tree=ex.Binary("*", factor, tree_of(inner)), order=value.order)

    def sum(self, a: Value, b: Value) -> Value:
        """Return a + b: along one direction a smooth function, otherwise a form."""
        if a.order != b.order:
            a, b = self.concrete(a), self.concrete(b)
        order = a.order
        if a.constant and b.constant:
            return Value(tree=ex.Binary("+", tree_of(a), tree_of(b)), order=order)
        if a.argument is not None and (b.constant or self.parallel(a, b)):
            return replace(self._combined("+", a, b), order=order)
        if b.argument is not None and (a.constant or self.parallel(a, b)):
            return replace(self._combined("+", a, b), order=order)
        total = self.form(replace(a, order=0)) + self.form(replace(b, order=0))
        return replace(value_of(total), order=order)

    def product(self, factors: Sequence[Value]) -> Value:
        """Return the product, those along one direction multiplied first, constants last."""
        order = sum(value.order for value in factors)
        constants = [tree_of(value) for value in factors if value.constant]
        others = self._grouped([replace(value, order=0) for value in factors if not value.constant])
        if not others:
            result = Value(tree=constants[0])
        else:
            result = others[0]
            for other in others[1:]:
                result = self._times(result, other)
        start = 0 if others else 1
        for constant in constants[start:]:
            result = self.scaled(result, constant)
        return replace(result, order=order)

    def _grouped(self, values: list[Value]) -> list[Value]:
        """Multiply values along the same direction into one smooth function of it."""
        groups: list[Value] = []
        for value in values:
            for i, group in enumerate(groups):
                if self.parallel(group, value):
                    groups[i] = self._combined("*", group, value)
                    break
            else:
                groups.append(value)
        return groups

    def _times(self, a: Value, b: Value) -> Value:
        p, q = self.form(a), self.form(b)
        if not p.terms or not q.terms:  # a constant in disguise, x**0 for one
            constant, other = (p, q) if not p.terms else (q, p)
            return self.scaled(value_of(other), _constant(constant))
        key = ("product", frozenset({p.key(), q.key()}))
        if key not in self.made:
            corners = [arb(x) * arb(y) for x, y in itertools.product(ends(p.range()), ends(q.range()))]
            self.add(key, Product(f"({shown(p)})*({shown(q)})", p, q, hull(corners)))
        return Value(form=Form.of(self.made[key]))

    def function(self, outer: ex.Expression, value: Value) -> Value:
        """Return a smooth function, ``outer``, of a value."""
        value = self.concrete(value)
        if value.constant:
            return Value(tree=composed(outer, tree_of(value)))
        inner = self.as_smooth(value)
        return replace(inner, tree=composed(outer, tree_of(inner)))

    def as_smooth(self, value: Value) -> Value:
        """Write a form as a function of its direction."""
        if value.form is None:
            return value
        form = value.form
        if not form.terms:  # a constant in disguise
            return Value(tree=_constant(form))
        uneven = [q for q, _ in form.irrational if q is not None]
        if uneven and len(form.terms) > 1:
            return Value(tree=T, argument=self.renamed(form, form.range(), "form"))
        if uneven:
            (q,) = form.terms
            direction, slope = Form.of(q), form.exact(q)
        else:
            direction, a = form.proportional()
            slope = ex.Number(a)
        tree: ex.Expression = T if slope == ONE or slope is None else ex.Binary("*", slope, T)
        shift = _constant(form)
        return Value(tree=tree if ex.rational_value(shift) == 0 else ex.Binary("+", tree, shift), argument=direction)

    def parallel(self, a: Value, b: Value) -> bool:
        """Say whether two values are functions of the same form."""
        if a.constant or b.constant:
            return False
        return self.as_smooth(a).argument == self.as_smooth(b).argument

    def _combined(self, operator: str, a: Value, b: Value) -> Value:
        a, b = (value if value.constant else self.as_smooth(value) for value in (a, b))
        argument = a.argument if a.argument is not None else b.argument
        return Value(tree=ex.Binary(operator, tree_of(a), tree_of(b)), argument=argument)

    def form(self, value: Value) -> Form:
        """Return an affine form with the value, making a node for a smooth function."""
        value = self.concrete(value)
        if value.form is not None:
            return value.form
        tree = tree_of(value)
        if value.argument is None:
            return _times(Form(constant=Fraction(1)), tree)
        line = affine(tree)
        if line is not None:
            return _times(value.argument, line[0]) + _times(Form(constant=Fraction(1)), line[1])
        factor, tree = without_factor(tree)
        polynomial = coefficients(tree)
        if polynomial is not None:
            return self._polynomial(polynomial, value.argument) * factor
        if isinstance(tree, ex.Binary) and tree.operator in "+-":
            parts = [Value(tree=part, argument=value.argument) for part in (tree.left, tree.right)]
            if any(coefficients(part) is not None or affine(part) is not None for part in (tree.left, tree.right)):
                left, right = (self.form(part) for part in parts)
                return (left + right if tree.operator == "+" else left - right) * factor
        return Form.of(self.smooth(tree, value.argument)) * factor

    def smooth(self, tree: ex.Expression, argument: Form) -> Quantity:
        """Return a smooth function of a form."""
        key = ("smooth", tree, argument.key())
        if key not in self.made:
            self.add(key, Univariate(Smooth(tree), argument))
        return self.made[key]

    def _polynomial(self, c: Sequence[Fraction], t: Form) -> Form:
        """Return c_0 + c_1 t + c_2 t^2 + ..: all of degree 2 share one square, others are one monic node without affine part."""
        line = (t * c[1]).shifted(c[0]) if len(c) > 1 else Form(constant=c[0])
        if len(c) <= 2:
            return line
        tree: ex.Expression = ex.Power(T, ex.Number(Fraction(len(c) - 1)))
        for k in range(len(c) - 2, 1, -1):
            if c[k]:
                power = ex.Power(T, ex.Number(Fraction(k)))
                tree = ex.Binary("+", tree, ex.Binary("*", ex.Number(c[k] / c[-1]), power))
        return line + Form.of(self.smooth(tree, t)) * c[-1]

    def renamed(self, form: Form, values: arb, name: str) -> Form:
        """Return a form as one quantity, with a range that may be sharper than the form shows."""
        key = ("renamed", form.key())
        if key not in self.made:
            self.add(key, Renamed(name, form, values))
            self.named[self.made[key]] = form
        return Form.of(self.made[key])

    def cancelled(self, form: Form) -> Form:
        """Write names out again where the sum shows more without them: |u| + u is 2 relu(u), so not negative."""
        rounded = {q for q, _ in form.irrational}
        for name in [q for q in form.terms if q in self.named and q not in rounded]:
            written = form + (self.named[name] - Form.of(name)) * form.terms[name]
            (old, new), shorter = (width(one.range()) for one in (form, written)), len(written.terms) <= len(form.terms)
            if new < 0.9 * old or (shorter and new <= old * (1 + 2.0**-20)):
                return self.cancelled(written)
        return form

    def rectified(self, form: Form, *, always: bool = False) -> Form:
        """Return max(form, 0), without a node where its sign is known, or where it is negative if one is ``always`` wanted."""
        exact = form.constant if not form.terms and not form.irrational else None
        low, high = ends(form.range()) if exact is None else (exact, exact)
        if low >= 0 and (not always or exact is not None):
            return form
        if high <= 0:
            return Form()
        key = ("relu", form.key())
        if key not in self.made:
            self.add(key, Rectified(f"relu({shown(form)})", form, arb(0).union(form.range().upper())))
        return Form.of(self.made[key])

    def add(self, key: object, node: Node) -> None:
        """Make a node; ``key`` is what it is looked up by when the same is wanted again."""
        self.nodes.append(node)
        self.made[key] = node.outputs[0]


def tree_of(value: Value) -> ex.Expression:
    """Return the tree of a constant or a smooth function."""
    if value.tree is None:
        raise TypeError("a form has no tree")
    return value.tree


def value_of(form: Form) -> Value:
    """Return a form, or the number that it is."""
    return Value(form=form) if form.terms else Value(tree=_constant(form))


def _constant(form: Form) -> ex.Expression:
    """Return the constant of a form, exactly."""
    return form.exact(None) or ex.Number(form.constant)


def _times(form: Form, factor: ex.Expression) -> Form:
    """Multiply a form with rational coefficients by a number."""
    rational = ex.rational_value(factor)
    return form * rational if rational is not None else form.times(_irrational(factor))


def _irrational(tree: ex.Expression) -> Irrational:
    value = constant_ball(tree)
    if not value.is_finite():
        raise Refused("a constant of the target is not finite")
    middle = Fraction(float(value.mid()))
    return Irrational(tree, middle, Fraction(ends(abs(value - ball(middle)))[1]))


def shown(form: Form) -> str:
    """Return a form as text, the first three terms."""
    return " + ".join([f"{c}*{q.name}" if c != 1 else q.name for q, c in form.terms.items()][:3])
