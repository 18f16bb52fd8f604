"""The hint that comes with a network: which quantity of the target is held where. Read, and trusted for nothing.

A wrong hint makes a step fail: what is claimed of a channel is proved from the weights, and that the quantities make up the
target is proved by algebra.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from constructions.number_formats import exact_number
from constructions.targets import expression as ex
from constructions.targets.language import parse

KINDS = ("token", "function", "product", "quotient", "kernel", "mean", "rectified", "renamed", "order-statistic",
         "soft-extremum", "interpolated-kernel", "exponential-average")
MOST_VARIABLES = 64


@dataclass(frozen=True)
class Form:
    """constant + sum of coefficient * quantity, with the coefficients that the network uses.

    Attributes:
        exact: what the coefficients of some quantities stand for, as expressions without variables.
        exact_constant: the same for the constant.
    """

    terms: Mapping[str, Fraction]
    constant: Fraction = Fraction(0)
    exact: Mapping[str, ex.Expression] = field(default_factory=dict)
    exact_constant: ex.Expression | None = None

    @property
    def rational(self) -> bool:
        """Whether no coefficient stands for another number."""
        return not self.exact and self.exact_constant is None

    @property
    def alone(self) -> str | None:
        """The quantity that it is, with coefficient 1 and nothing added; None where it is anything else."""
        only = list(self.terms.items())
        return only[0][0] if self.rational and not self.constant and [c for _, c in only] == [1] else None


@dataclass(frozen=True)
class Held:
    """constant + sum of coefficient * channel."""

    channels: Mapping[str, Fraction]
    constant: Fraction


@dataclass(frozen=True)
class Entry:
    """One quantity: what it is, in terms of earlier ones, and where it is held.

    Attributes:
        tree: a function of x[0], x[1], .. (function, kernels), or an expression with the same value (renamed); the exponent of an
            exponential-average, of u and v for each coordinate v of y.
        of: the forms it depends on.
        detail: coordinate (token), rank (order-statistic, soft-extremum).
        reciprocal: the quantity 1/q of a quotient p/q.
        refined: c where p/q is formed as c p r (2 - q r) with that reciprocal r, 0 where it is p r.
        tokens: quantities that a kernel's last variables stand for, at the token y.
        soft: beta, c and b of a soft extremum: what is averaged is b less than about exp(beta (u - c)).
        values: what an exponential-average averages, a function of x[0], of x[0] and x[1] for two coordinates of y.
    """

    name: str
    kind: str
    held: Held
    tree: ex.Expression | None = None
    of: tuple[Form, ...] = ()
    detail: int = 0
    reciprocal: str = ""
    tokens: tuple[str, ...] = ()
    refined: Fraction = Fraction(0)
    soft: tuple[Fraction, ...] = ()
    values: ex.Expression | None = None


@dataclass(frozen=True)
class Derivation:
    """The entries that the outputs depend on, in order, and the outputs."""

    entries: tuple[Entry, ...]
    outputs: tuple[Form, ...]

    @staticmethod
    def read(data: Mapping[str, Any], d: int) -> Derivation:
        """Read the hint; raises KeyError, TypeError or ValueError where it does not have the documented structure."""
        entries = tuple(_entry(entry, d) for entry in data["quantities"])
        seen: set[str] = set()
        for entry in entries:
            used = {name for form in entry.of for name in form.terms} | set(entry.tokens)
            used |= {entry.reciprocal} if entry.kind == "quotient" else set()
            if not entry.name.isprintable():
                raise ValueError(f"the quantity {entry.name!r} has a name that is no printable text")
            if entry.name in seen or not used <= seen:
                raise ValueError(f"quantity {entry.name} is defined twice or by later ones")
            seen.add(entry.name)
        outputs = tuple(_form(form) for form in data["outputs"])
        needed = {name for form in outputs for name in form.terms}
        if not needed <= seen:
            raise ValueError("an output depends on unknown quantities")
        for entry in reversed(entries):
            if entry.name in needed:
                needed |= {name for form in entry.of for name in form.terms} | {*entry.tokens, entry.reciprocal}
        return Derivation(tuple(entry for entry in entries if entry.name in needed), outputs)


def _entry(data: Mapping[str, Any], d: int) -> Entry:
    kind, of = str(data["kind"]), tuple(_form(form) for form in data.get("of", []))
    if kind not in KINDS:
        raise ValueError(f"quantity of kind {kind!r}")
    tokens = tuple(str(name) for name in data.get("tokens", []))
    tree = None
    if kind in ("function", "kernel"):
        tree = _tree(data["tree"], len(of) + len(tokens))
    elif kind == "interpolated-kernel":
        tree = _tree(data["tree"], 2)
    elif kind == "exponential-average":
        tree = _tree(data["tree"], 2 * _coordinates(of))
    elif kind == "renamed" and data["tree"] != "form":
        tree = _tree(data["tree"], d)
    held = Held({str(c): exact_number(w) for c, w in data["held"]["channels"].items()}, exact_number(data["held"]["constant"]))
    return Entry(str(data["name"]), kind, held, tree, of, int(data.get("coordinate", data.get("rank", 0))),
                 str(data.get("reciprocal", "")), tokens, exact_number(data.get("refined", "0")),
                 tuple(exact_number(data[key]) for key in ("beta", "centre", "base")) if kind == "soft-extremum" else (),
                 _tree(data["values"], _coordinates(of)) if kind == "exponential-average" else None)


def _coordinates(of: Sequence[Form]) -> int:
    """Return of how many coordinates of y the weights of an average depend: each comes with a form that it meets."""
    if len(of) not in (2, 3, 4):
        raise ValueError(f"an average with exponential weights of {len(of)} forms; values of their own in the plane are not read")
    return len(of) // 2


def _tree(text: object, variables: int) -> ex.Expression:
    if not 0 < variables <= MOST_VARIABLES:
        raise ValueError(f"a function of {variables} variables")
    (tree,) = parse(str(text), variables)
    return ex.specialise(tree, None)


def _form(data: Mapping[str, Any]) -> Form:
    terms = {str(name): exact_number(c) for name, c in data["terms"].items()}
    exact = data.get("exact", {})
    numbers = {str(name): _number(text) for name, text in exact.get("terms", {}).items()}
    if not numbers.keys() <= terms.keys():
        raise ValueError("an exact coefficient of a quantity that the form has not")
    return Form(terms, exact_number(data["constant"]), numbers, _number(exact["constant"]) if "constant" in exact else None)


def _number(text: object) -> ex.Expression:
    tree = _tree(text, 1)
    if any(isinstance(node, ex.Own | ex.Reduction | ex.OrderStatistic | ex.Length) for node in tree.walk()):
        raise ValueError(f"{tree} is no number")
    return tree


def names_of(forms: Sequence[Form]) -> list[str]:
    """Return the quantities of some forms."""
    return [name for form in forms for name in form.terms]
