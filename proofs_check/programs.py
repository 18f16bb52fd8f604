"""A target expression as a straight-line program over the sorted tokens: equal parts once, linear parts exactly.

A *form* is c_0 + sum of c_k * atom_k with rational c_k. Atoms 0, .., n d - 1 are the tokens' coordinates, in descending order of
coordinate 0; every later one is a product of two forms, or a function of one. So x - x is 0, a mean of affine functions is
affine, and the difference of two expressions that share parts is a difference of their coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from constructions.targets import expression as ex
from proofs_check import taylor
from proofs_check.enclosures.arrays import as_array, zeros
from proofs_check.enclosures.interval import Booleans, Floats, Interval
from proofs_check.jets import Affine
from proofs_check.taylor import Model, Scale
from proofs_check.walker import Chamber

Form = Affine  # of atoms in place of variables


@dataclass(frozen=True)
class Atom:
    """``times`` of two forms; ``pi`` of none; ``relu``, ``reciprocal``, ``exp``, .. of one."""

    name: str
    arguments: tuple[Form, ...]


@dataclass(eq=False)
class Program:
    """Expressions of one chamber, translated.

    Attributes:
        chamber: order of the tokens, rank of the own one.
        atoms: in an order in which they can be computed, numbered from n * d.
    """

    chamber: Chamber
    atoms: list[Atom] = field(default_factory=list)
    _numbers: dict[Atom, int] = field(default_factory=dict)
    _known: dict[tuple[int, int | None], tuple[ex.Expression, Form]] = field(default_factory=dict)

    @property
    def variables(self) -> int:
        """n * d."""
        return self.chamber.n * self.chamber.d

    def form(self, node: ex.Expression, token: int | None = None) -> Form:
        """Translate a node; ``token`` is the rank that ``y`` stands for inside a reduction."""
        key = id(node), token
        if key not in self._known:  # the node is kept, so that its identity stays its own
            self._known[key] = node, self._translated(node, token)
        return self._known[key][1]

    def _translated(self, node: ex.Expression, token: int | None) -> Form:
        match node:
            case ex.Number(value=value):
                return Form(value)
            case ex.Pi():
                return self._atom("pi")
            case ex.Own(coordinate=c):
                return self._variable(self.chamber.own, c)
            case ex.Other(coordinate=c) if token is not None:
                return self._variable(token, c)
            case ex.OrderStatistic(rank=ex.Number(value=rank)):
                return self._variable(int(rank) - 1, 0)
            case ex.Apply(function=name, argument=argument):
                return self._apply(name, self.form(argument, token))
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.form(left, token), self.form(right, token))
            case ex.Power(base=base, exponent=ex.Number(value=exponent)):
                return self._power(self.form(base, token), int(exponent))
            case ex.Reduction(kind=kind, body=body):
                return self._reduction(kind, [self.form(body, rank) for rank in range(self.chamber.n)])
        raise TypeError(f"{type(node).__name__} must be specialised to a length before it is bounded")

    def _variable(self, token: int, coordinate: int) -> Form:
        return Form(Fraction(0), ((token * self.chamber.d + coordinate, Fraction(1)),))

    def _atom(self, name: str, *arguments: Form) -> Form:
        atom = Atom(name, arguments)
        if atom not in self._numbers:
            self._numbers[atom] = self.variables + len(self.atoms)
            self.atoms.append(atom)
        return Form(Fraction(0), ((self._numbers[atom], Fraction(1)),))

    def _apply(self, name: str, a: Form) -> Form:
        match name:
            case "neg":
                return a.times(Fraction(-1))
            case "abs":  # 2 relu(a) - a
                return self._relu(a).times(Fraction(2)).plus(a, Fraction(-1))
            case "relu":
                return self._relu(a)
        return self._atom(name, a)

    def _relu(self, a: Form) -> Form:
        if not a.slopes:
            return Form(max(a.constant, Fraction(0)))
        sign = self.chamber.sign(a) if all(v < self.variables for v, _ in a.slopes) else 0
        return a if sign > 0 else Form(Fraction(0)) if sign < 0 else self._atom("relu", a)

    def _binary(self, operator: str, a: Form, b: Form) -> Form:
        match operator:
            case "+":
                return a.plus(b)
            case "-":
                return a.plus(b, Fraction(-1))
            case "*":
                return self._times(a, b)
            case "/":
                return self._times(a, self._reciprocal(b))
            case "maximum":
                return self._larger(a, b)
        return self._smaller(a, b)

    def _times(self, a: Form, b: Form) -> Form:
        for one, other in ((a, b), (b, a)):
            if not one.slopes:
                return other.times(one.constant)
        return self._atom("times", *sorted((a, b), key=lambda form: (form.constant, form.slopes)))

    def _reciprocal(self, a: Form) -> Form:
        return Form(1 / a.constant) if not a.slopes and a.constant else self._atom("reciprocal", a)

    def _power(self, a: Form, exponent: int) -> Form:
        if exponent <= 0:
            return Form(Fraction(1)) if not exponent else self._power(self._reciprocal(a), -exponent)
        if exponent == 1:
            return a
        half = self._power(a, exponent // 2)
        return self._times(half, half if exponent % 2 == 0 else self._power(a, exponent - exponent // 2))

    def _reduction(self, kind: str, terms: list[Form]) -> Form:
        total = terms[0]
        for term in terms[1:]:
            total = {"max": self._larger, "min": self._smaller}[kind](total, term) if kind in ("max", "min") else total.plus(term)
        return total.times(Fraction(1, self.chamber.n)) if kind == "mean" else total

    def _larger(self, a: Form, b: Form) -> Form:
        return b.plus(self._relu(a.plus(b, Fraction(-1))))

    def _smaller(self, a: Form, b: Form) -> Form:
        return a.plus(self._relu(a.plus(b, Fraction(-1))), Fraction(-1))


@dataclass(frozen=True, eq=False)
class Compiled:
    """A program whose forms are numbered: what is evaluated on batch after batch."""

    program: Program
    wanted: tuple[Form, ...]

    @cached_property
    def forms(self) -> dict[Form, int]:
        """Number the forms that atoms read and that are wanted."""
        return {form: k for k, form in enumerate(dict.fromkeys(
            [*(form for atom in self.program.atoms for form in atom.arguments), *self.wanted]))}

    @cached_property
    def sums(self) -> list[tuple[Scale, list[tuple[Scale, int]], int]]:
        """Each form as floats: offset, (factor, atom), sign inside the chamber."""
        sign, inside = self.program.chamber.sign, self.program.variables
        return [(Scale.of(form.constant), [(Scale.of(factor), atom) for atom, factor in form.slopes],
                 sign(form) if form.slopes and all(v < inside for v, _ in form.slopes) else 0) for form in self.forms]

    @cached_property
    def steps(self) -> list[tuple[str, tuple[int, ...]]]:
        """Each atom as its name and the numbers of the forms it reads."""
        return [(atom.name, tuple(self.forms[form] for form in atom.arguments)) for atom in self.program.atoms]

    def models(self, variables: Sequence[Model], order: int) -> tuple[list[Model], Booleans]:
        """Return Taylor models of the wanted forms, and where some part is not known to be defined.

        Args:
            variables: models of the n d coordinates on a batch of boxes.
            order: largest degree that is kept.
        """
        like = variables[0].error
        atoms, undefined = list(variables), zeros(like.shape, like, bool)
        found: dict[int, Model] = {}

        def form(k: int) -> Model:
            if k not in found:
                offset, parts, sign = self.sums[k]
                found[k] = taylor.clipped(taylor.combined(offset, [(s, atoms[atom]) for s, atom in parts], like), sign)
            return found[k]

        for name, arguments in self.steps:
            given = [form(k) for k in arguments]
            undefined = undefined | _undefined(name, given)
            atoms.append(_computed(name, given, order, like))
        return [form(self.forms[wanted]) for wanted in self.wanted], undefined


def _undefined(name: str, given: Sequence[Model]) -> Booleans:
    match name:
        case "log":
            return as_array(~(given[0].range.lower > 0))
        case "sqrt":
            return as_array(~(given[0].range.lower >= 0))
        case "reciprocal":
            return given[0].range.contains(0.0)
    return np.zeros((), dtype=bool)


def _computed(name: str, given: Sequence[Model], order: int, like: Floats) -> Model:
    match name:
        case "pi":
            return taylor.constant(Interval.pi(), like)
        case "times":
            return taylor.times(given[0], given[1], order)
        case "relu":
            return taylor.relu(given[0])
    return taylor.apply(name, given[0], order)
