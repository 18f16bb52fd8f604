"""A target f: an expression with its n, d, domain, or an opaque callable with a declared modulus."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from constructions.domains import Box
from constructions.errors import BadInput
from constructions.targets import expression as ex
from constructions.targets.evaluation import (
    Counts,
    Numbers,
    ball_algebra,
    evaluate,
    fraction_algebra,
    numpy_algebra,
    torch_algebra,
)
from constructions.targets.imported import imported_callable
from constructions.targets.language import ExpressionError, parse


@dataclass(frozen=True)
class Target:
    """A continuous permutation-equivariant f on box^n, written in the target language.

    ``text`` is the source, ``outputs`` its trees already specialised to n; all evaluations take tokens of shape
    (*batch, n, d) and return (*batch, own tokens, d_out).
    """

    name: str
    text: str
    n: int
    box: Box
    outputs: tuple[ex.Expression, ...]
    positional: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Nodes are numbered by where they are in memory: that means nothing to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "_numbers"}

    @cached_property
    def symbolic(self) -> tuple[ex.Expression, ...]:
        """The outputs with n left as a symbol: what the target is for every n at once."""
        return tuple(ex.specialise(tree, None) for tree in parse(self.text, self.d - self.positional, self.positional))

    @cached_property
    def _numbers(self) -> Numbers:
        return Numbers.numbered(self.outputs)

    @cached_property
    def pairs(self) -> bool:
        """Whether an evaluation needs an array of all pairs of tokens: some reduction sees x and y."""
        return any(isinstance(node, ex.Reduction) and all(ex.depends_on(node.body, token) for token in (ex.Own, ex.Other))
                   for output in self.outputs for node in output.walk())

    @property
    def ordered(self) -> bool:
        """Whether f looks at ranks of tokens: then multiplicities do not stand for repeated ones."""
        return any(isinstance(node, ex.OrderStatistic) for output in self.outputs for node in output.walk())

    @property
    def d(self) -> int:
        """Token dimension."""
        return self.box.d

    @property
    def d_out(self) -> int:
        """Number of output features."""
        return len(self.outputs)

    @staticmethod
    def from_text(text: str, *, n: int, box: Box, name: str = "", positional: bool = False) -> Target:
        """Parse a text for sequences of n tokens in the box.

        With ``positional`` the last coordinate of the box is the token's position i/n, and the text may use ``i`` for the own
        token's index and ``j`` for that of y (mathematics: positional-encoding).

        Raises:
            ExpressionError: the text is outside the language, or a rank does not fit n.
            BadInput: n < 2.
        """
        if n < 2:
            raise BadInput(f"n = {n}: expected n >= 2 tokens")
        try:
            outputs = tuple(ex.specialise(tree, n) for tree in parse(text, box.d - positional, positional))
        except ValueError as error:
            if isinstance(error, BadInput):
                raise
            raise ExpressionError(text, error.args[0], error.args[1]) from None
        return Target(name or text, text, n, box, outputs, positional)

    def numpy(self, tokens: np.ndarray, own: slice = slice(None), counts: Counts | None = None) -> np.ndarray:
        """Evaluate in float64 (rounded; undefined values are NaN or inf, silently); ``counts``: how often each token occurs."""
        with np.errstate(all="ignore"):
            return np.asarray(evaluate(self.outputs, tokens, numpy_algebra(), own, counts))

    def torch(self, tokens: Any, own: slice = slice(None), counts: Counts | None = None) -> Any:
        """Evaluate on a torch tensor, on its device and in its dtype; ``counts`` says how often each token occurs."""
        return evaluate(self.outputs, tokens, torch_algebra(tokens.device, tokens.dtype), own, counts, self._numbers)

    def fractions(self, tokens: np.ndarray, own: slice = slice(None)) -> np.ndarray:
        """Evaluate exactly over an object array of ``Fraction``; raises ``NotRational`` where f is not rational."""
        return np.asarray(evaluate(self.outputs, tokens, fraction_algebra(), own))

    def balls(self, tokens: np.ndarray, own: slice = slice(None), counts: Counts | None = None) -> np.ndarray:
        """Evaluate over an object array of ``arb`` balls; every result contains the true values."""
        return np.asarray(evaluate(self.outputs, tokens, ball_algebra(), own, counts))


_CALLING = threading.Lock()  # a search may use several threads; a user's function need not know about threads


@dataclass(frozen=True)
class CallableTarget:
    """An opaque f on sequences of n tokens. Everything certified about it is conditional.

    Attributes:
        function: (batch, n, d) float64 -> (batch, n, d_out); it is never given another number of axes, so it may count on three.
    """

    name: str
    function: Callable[[np.ndarray], np.ndarray]
    n: int
    box: Box

    @property
    def pairs(self) -> bool:
        """Whether an evaluation needs an array of all pairs of tokens: it may."""
        return True

    @property
    def text(self) -> str:
        """The ``package.module:callable`` it was loaded from."""
        return self.name

    @property
    def d(self) -> int:
        """Token dimension."""
        return self.box.d

    @cached_property
    def d_out(self) -> int:
        """Number of output features, read off one evaluation."""
        middle = np.array([float((a + b) / 2) for a, b in self.box.sides])
        return int(self.numpy(np.broadcast_to(middle, (1, self.n, self.d)).copy()).shape[-1])

    @staticmethod
    def load(name: str, *, n: int, box: Box) -> CallableTarget:
        """Import ``package.module:callable`` and test it for shape, finiteness and equivariance.

        Raises:
            BadInput: it cannot be imported, has another shape, is not finite, or is not equivariant (with the permutation).
        """
        if n < 2:
            raise BadInput(f"n = {n}: expected n >= 2 tokens")
        target = CallableTarget(name, imported_callable(name, "target"), n, box)
        target._refuse_unless_equivariant()
        return target

    def numpy(self, tokens: np.ndarray, own: slice = slice(None)) -> np.ndarray:
        """Evaluate (*batch, n, d) tokens in float64, as one batch.

        Raises:
            BadInput: the callable raised or returned another shape than (batch, n, d_out).
        """
        given = tokens.reshape(-1, *tokens.shape[-2:]).copy()  # what is written into it changes no sequence of ours
        shape = given.shape
        try:
            raw = np.asarray(self.function(given))
            if np.iscomplexobj(raw):
                raise TypeError("complex values")
            values = raw.astype(np.float64)
        except Exception as error:  # the user's function may fail in any way
            raise BadInput(f"target {self.name!r} failed on an array of shape {shape} "
                           f"({type(error).__name__}: {error})") from None
        if values.ndim != 3 or values.shape[:-1] != shape[:-1] or not values.shape[-1]:
            raise BadInput(f"target {self.name!r}: expected an array of shape {(*shape[:-1], 'd_out')} "
                           f"for tokens of shape {shape}, got {values.shape}")
        return values.reshape(*tokens.shape[:-1], -1)[..., own, :]

    def torch(self, tokens: Any, own: slice = slice(None)) -> Any:
        """Evaluate through numpy and return a tensor like the tokens."""
        import torch

        with _CALLING:
            return torch.as_tensor(self.numpy(tokens.detach().cpu().numpy(), own)).to(tokens)

    def _refuse_unless_equivariant(self, cases: int = 64) -> None:
        rng = np.random.default_rng(0)
        lower = np.array([float(a) for a in self.box.lower])
        upper = np.array([float(b) for b in self.box.upper])
        tokens = lower + (upper - lower) * rng.random((cases, self.n, self.d))
        values = self.numpy(tokens)
        if not np.all(np.isfinite(values)):
            case = int(np.argmin(np.isfinite(values).all(axis=(1, 2))))
            raise BadInput(f"target {self.name!r} is not finite at X = {tokens[case].tolist()}")
        scale = 1 + np.abs(values).max()
        for order in [np.roll(np.arange(self.n), 1), *(rng.permutation(self.n) for _ in range(8))]:
            gap = np.abs(self.numpy(tokens[:, order]) - values[:, order]).max(axis=(1, 2))
            # 2^-26 of the scale: far above any summation-order effect, far below a real asymmetry.
            if gap.max() > 2.0**-26 * scale:
                case = int(gap.argmax())
                raise BadInput(f"target {self.name!r} is not permutation-equivariant: for X = {tokens[case].tolist()} and the "
                               f"permutation {order.tolist()}, f(PX) and P f(X) differ by {gap[case]:.3g}")


AnyTarget = Target | CallableTarget


