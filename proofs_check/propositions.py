"""What can be proved, as data: the kernel's rules compare propositions for equality and add their exact bounds.

Functions are named by text: ``f`` the target, ``X`` the sequence itself, ``sumformer``, ``linformer``, .. the stored networks
over the reals, ``linformer evaluated`` the same in floating point, and whatever a proof calls its intermediate functions. Norms
are sup norms over tokens and coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from proofs_check.decimals import decimal_above

SEQUENCE = "X"
TARGET = "f"


@dataclass(frozen=True)
class Scope:
    """The sequences a proposition is about: tokens in a box, n of them or any number from 2 on.

    Attributes:
        box: interval of each coordinate.
        n: length, None for every n >= 2.
        longest: lengths up to it only, None for no end.
        descending: only sequences whose tokens descend in coordinate 0.
        part: "sequences"; "boxes", the sequences in the boxes that a subdivision holds, all of them only if no box was lost;
            "tokens", for functions of one token and the own one, which are averaged over a sequence.
    """

    box: tuple[tuple[Fraction, Fraction], ...]
    n: int | None
    longest: int | None = None
    descending: bool = False
    part: str = "sequences"

    @property
    def empty(self) -> bool:
        """Whether none of its lengths is short enough."""
        return self.longest is not None and self.longest < (2 if self.n is None else self.n)

    @property
    def whole(self) -> bool:
        """Whether these are all sequences in the box of its lengths."""
        return self.longest is None and not self.descending and self.part == "sequences"

    def until(self, longest: int | None) -> Scope:
        """Return its sequences of at most so many tokens, all of them for None."""
        return replace(self, longest=min((end for end in (self.longest, longest) if end is not None), default=None))

    def __str__(self) -> str:
        length = f"n = {self.n}" if self.n is not None else "every n >= 2" if self.longest is None else f"n <= {self.longest}"
        part = "" if self.part == "sequences" else f", on {self.part}"
        return length + (", descending tokens" if self.descending else "") + part


@dataclass(frozen=True)
class Defined:
    """The function is defined at every sequence of the scope: no part of it divides by 0 or leaves the domain of a function."""

    function: str
    scope: Scope

    def __str__(self) -> str:
        return f"{self.function} is defined on the whole domain, {self.scope}"


@dataclass(frozen=True)
class Near:
    """||first - second|| <= bound on the scope."""

    first: str
    second: str
    bound: Fraction
    scope: Scope

    def __str__(self) -> str:
        return f"||{self.first} - {self.second}|| <= {decimal_above(self.bound)}, {self.scope}"


@dataclass(frozen=True)
class Lipschitz:
    """||function(X) - function(Y)|| <= constant ||X - Y|| on the scope."""

    function: str
    constant: Fraction
    scope: Scope

    def __str__(self) -> str:
        return f"{self.function} has Lipschitz constant {decimal_above(self.constant)}, {self.scope}"


@dataclass(frozen=True)
class Symmetric:
    """A permutation of the tokens permutes the function's values."""

    function: str

    def __str__(self) -> str:
        return f"{self.function} commutes with permutations of the tokens"


@dataclass(frozen=True)
class Evaluated:
    """Each of these networks, evaluated in floating point, is within the bound of itself, for lengths up to longest."""

    networks: tuple[str, ...]
    bound: Fraction
    longest: int | None

    def __str__(self) -> str:
        length = "" if self.longest is None else f", n <= {self.longest}"
        return f"{', '.join(self.networks)} in floating point within {decimal_above(self.bound)} of themselves{length}"


@dataclass(frozen=True)
class Whole:
    """The claim: ||f - T|| <= bound for every network, over the reals and as evaluated."""

    networks: tuple[str, ...]
    bound: Fraction
    scope: Scope

    def __str__(self) -> str:
        return f"||f - T|| <= {decimal_above(self.bound)} for T = {', '.join(self.networks)}, {self.scope}"


Proposition = Defined | Near | Lipschitz | Symmetric | Evaluated | Whole


def evaluated(network: str) -> str:
    """Name what a network gives in floating point."""
    return f"{network} evaluated"
