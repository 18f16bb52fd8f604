"""Arrays on a GPU that numpy's own functions accept, so that the checker's code runs there as it stands.

numpy hands a call with such an argument to the argument (NEP 13 and 18): ``np.where``, ``np.maximum``, ``a @ b`` and the rest of
the two tables below become one torch operation each. What is in no table is an error; nothing is copied back by accident.

Two habits of torch would change values and are kept out. A quotient by a number becomes, on CUDA, a product with the rounded
reciprocal: here numbers are 0-dimensional float64 arrays of the device, which are divided by. A number alone may make a result
float32: here it never does.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]


def on_device(array: np.ndarray, device: torch.device) -> Floats:
    """Return the array's numbers on the device; the type says what it stands in for."""
    ours = np.require(array, requirements=["C", "W"])  # torch takes no array that may not be written to
    return cast(Floats, DeviceArray(torch.from_numpy(ours).to(device)))


def on_host(array: Any) -> np.ndarray:
    """Return the numbers as a numpy array; one of those is returned as it is."""
    return array.tensor.cpu().numpy() if isinstance(array, DeviceArray) else np.asarray(array)


class DeviceArray:
    """A tensor with the interface of a numpy array, as far as the checker uses it; ``tensor`` is float64, int64 or bool."""

    __slots__ = ("tensor",)
    __hash__ = None  # type: ignore[assignment]  # == is element by element

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("an array of a device became one of numpy by accident: on_host() says so where it is meant")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **given: Any) -> Any:
        if ufunc is np.add and method == "reduceat" and given.pop("axis", 0) == 0 and not given:
            return _sums_between(*inputs)
        if method != "__call__" or given or ufunc not in ELEMENTWISE:
            raise TypeError(f"numpy.{ufunc.__name__} ({method}, {', '.join(given) or 'plain'}) is not known on a device")
        return _called(ELEMENTWISE[ufunc], *inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, given: Sequence[Any],
                           named: Mapping[str, Any]) -> Any:
        if function not in FUNCTIONS:
            raise TypeError(f"numpy.{function.__name__} is not known on a device")
        return FUNCTIONS[function](*given, **named)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.tensor.ndim

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.tensor.numel()

    @property
    def T(self) -> DeviceArray:
        """The axes in reverse order, a view."""
        return DeviceArray(self.tensor.permute(*range(self.ndim - 1, -1, -1)))

    def uploaded(self, array: np.ndarray) -> DeviceArray:
        """Return the numbers of a numpy array on the same device."""
        return DeviceArray(_uploaded(array, self.tensor.device))

    def copy(self) -> DeviceArray:
        """Return new memory, laid out row by row."""
        return DeviceArray(self.tensor.clone(memory_format=torch.contiguous_format))

    def reshape(self, *shape: Any) -> DeviceArray:
        """Return the entries in another shape."""
        return DeviceArray(self.tensor.reshape(*shape))

    def astype(self, kind: Any) -> DeviceArray:
        """Convert, towards 0 where fractions get lost."""
        return DeviceArray(self.tensor.to(KINDS[np.dtype(kind).kind]))

    def sum(self, axis: int, keepdims: bool = False) -> DeviceArray:
        """Sum along an axis, in any order."""
        return DeviceArray(self.tensor.sum(dim=axis, keepdim=keepdims))

    def max(self, axis: int) -> DeviceArray:
        """Return the largest along an axis, NaN where there is one."""
        return DeviceArray(self.tensor.amax(dim=axis))

    def min(self, axis: int) -> DeviceArray:
        """Return the smallest along an axis, NaN where there is one."""
        return DeviceArray(self.tensor.amin(dim=axis))

    def all(self, axis: int | None = None) -> DeviceArray:
        """Say whether all are true."""
        return DeviceArray(self.tensor.all() if axis is None else self.tensor.all(dim=axis))

    def any(self, axis: int | None = None) -> DeviceArray:
        """Say whether any is true."""
        return DeviceArray(self.tensor.any() if axis is None else self.tensor.any(dim=axis))

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[DeviceArray]:
        return map(DeviceArray, self.tensor.unbind())

    def __getitem__(self, index: Any) -> DeviceArray:
        return DeviceArray(self.tensor[_index(index, self.tensor.device)])

    def __setitem__(self, index: Any, values: Any) -> None:
        self.tensor[_index(index, self.tensor.device)] = _operand(values, self.tensor)

    def __repr__(self) -> str:
        return f"DeviceArray({self.tensor!r})"


def _operand(value: Any, like: Tensor) -> Tensor:
    """Return an operand as a tensor where the other one is."""
    if isinstance(value, DeviceArray):
        return value.tensor
    if isinstance(value, np.ndarray) and value.ndim:
        return _uploaded(value, like.device)
    number = value.item() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(number, int) and not isinstance(number, bool) and like.dtype == torch.float64:
        number = float(number)
    return _number(number, repr(number), like.device)


@functools.lru_cache(maxsize=4096)
def _number(value: bool | int | float, text: str, device: torch.device) -> Tensor:
    """Return a number as a tensor of the device; its text tells 0.0 from -0.0, and 1 from 1.0."""
    return torch.tensor(value, dtype=KINDS[np.dtype(type(value)).kind]).to(device)


_kept: dict[tuple[int, torch.device], tuple[weakref.ref[np.ndarray], Tensor]] = {}


def _uploaded(array: np.ndarray, device: torch.device) -> Tensor:
    """Copy to the device; once where the array owns its numbers and nobody may change them."""
    if array.dtype.kind not in KINDS:
        raise TypeError(f"an array of {array.dtype} cannot go to a device")
    if array.flags.writeable or array.base is not None:
        return torch.from_numpy(np.array(array)).to(device, KINDS[array.dtype.kind])
    key = id(array), device
    known = _kept.get(key)
    if known is None or known[0]() is not array:
        tensor = torch.from_numpy(array.copy()).to(device, KINDS[array.dtype.kind])
        known = _kept[key] = weakref.ref(array, lambda _: _kept.pop(key, None)), tensor
    return known[1]


def _called(function: Callable[..., Tensor], *inputs: Any) -> DeviceArray:
    like = next(one.tensor for one in inputs if isinstance(one, DeviceArray))
    return DeviceArray(function(*(_operand(one, like) for one in inputs)))


def _index(index: Any, device: torch.device) -> Any:
    return tuple(_along_axis(one, device) for one in index) if isinstance(index, tuple) else _along_axis(index, device)


def _along_axis(index: Any, device: torch.device) -> Any:
    if isinstance(index, DeviceArray):
        return index.tensor
    if isinstance(index, list | tuple | range):
        return _places(tuple(index), device)
    return _uploaded(index, device) if isinstance(index, np.ndarray) else index


@functools.lru_cache(maxsize=4096)
def _places(index: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(index, dtype=torch.int64).to(device)


def _sums_between(array: DeviceArray, starts: Sequence[int]) -> DeviceArray:
    ends = [*starts[1:], len(array)]
    return DeviceArray(torch.stack([array.tensor[a:b].sum(dim=0) for a, b in zip(starts, ends, strict=True)]))


def _filled(array: DeviceArray, value: float, dtype: Any = None, shape: Any = None) -> DeviceArray:
    kind = array.tensor.dtype if dtype is None else KINDS[np.dtype(dtype).kind]
    return DeviceArray(torch.full(array.shape if shape is None else _shape(shape), value, dtype=kind, device=array.tensor.device))


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)


def _joined(function: Callable[..., Tensor]) -> Callable[..., DeviceArray]:
    def join(arrays: Sequence[Any], axis: int = 0) -> DeviceArray:
        like = next(one.tensor for one in arrays if isinstance(one, DeviceArray))
        return DeviceArray(function([_operand(one, like) for one in arrays], dim=axis))
    return join


def _broadcast(*arrays: Any) -> tuple[DeviceArray, ...]:
    like = next(one.tensor for one in arrays if isinstance(one, DeviceArray))
    tensors: Any = torch.broadcast_tensors(*(_operand(one, like) for one in arrays))  # type: ignore[no-untyped-call]
    return tuple(map(DeviceArray, tensors))


def _padded(array: DeviceArray, widths: Sequence[tuple[int, int]]) -> DeviceArray:
    flat = [width for pair in reversed(widths) for width in pair]
    return DeviceArray(torch.nn.functional.pad(array.tensor, flat))


def _einsum(subscripts: str, *arrays: Any) -> DeviceArray:
    return _called(functools.partial(torch.einsum, subscripts), *arrays)


def _finite(array: DeviceArray, nan: float, posinf: float | None = None) -> DeviceArray:
    return DeviceArray(torch.nan_to_num(array.tensor, nan=nan, posinf=posinf))


def _clipped(array: Any, low: Any, high: Any) -> DeviceArray:
    return _called(lambda values, least, most: torch.minimum(torch.maximum(values, least), most), array, low, high)


def _quotient(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a.to(torch.float64), b.to(torch.float64))


def _product(a: Tensor, b: Tensor) -> Tensor:
    kind = torch.promote_types(a.dtype, b.dtype)
    return torch.matmul(a.to(kind), b.to(kind))


KINDS = {"f": torch.float64, "i": torch.int64, "b": torch.bool}
ELEMENTWISE: dict[Any, Callable[..., Tensor]] = {
    np.add: torch.add, np.subtract: torch.sub, np.multiply: torch.mul, np.true_divide: _quotient, np.negative: torch.neg,
    np.absolute: torch.abs, np.maximum: torch.maximum, np.minimum: torch.minimum, np.fmax: torch.fmax, np.fmin: torch.fmin,
    np.less: torch.lt, np.less_equal: torch.le, np.greater: torch.gt, np.greater_equal: torch.ge, np.equal: torch.eq,
    np.not_equal: torch.ne, np.bitwise_and: torch.bitwise_and, np.bitwise_or: torch.bitwise_or, np.invert: torch.bitwise_not,
    np.isfinite: torch.isfinite, np.isnan: torch.isnan, np.floor: torch.floor, np.ceil: torch.ceil, np.sqrt: torch.sqrt,
    np.exp: torch.exp, np.log: torch.log, np.sin: torch.sin, np.cos: torch.cos, np.tanh: torch.tanh, np.matmul: _product}
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: functools.partial(_called, torch.where), np.clip: _clipped, np.einsum: _einsum, np.nan_to_num: _finite,
    np.zeros_like: lambda array, **given: _filled(array, 0.0, **given), np.full_like: _filled,
    np.ones_like: lambda array, **given: _filled(array, 1.0, **given), np.concatenate: _joined(torch.cat),
    np.stack: _joined(torch.stack), np.broadcast_to: lambda array, shape: DeviceArray(array.tensor.expand(_shape(shape))),
    np.broadcast_arrays: _broadcast, np.pad: _padded,
    np.moveaxis: lambda array, here, there: DeviceArray(torch.movedim(array.tensor, here, there)),
    np.swapaxes: lambda array, a, b: DeviceArray(torch.swapaxes(array.tensor, a, b))}


def _binary(name: str, ufunc: Any, reverse: bool = False) -> None:
    function = ELEMENTWISE[ufunc]
    setattr(DeviceArray, f"__{name}__", lambda self, other: _called(function, self, other))
    if reverse:
        setattr(DeviceArray, f"__r{name}__", lambda self, other: _called(function, other, self))


def _unary(name: str, ufunc: Any) -> None:
    function = ELEMENTWISE[ufunc]
    setattr(DeviceArray, f"__{name}__", lambda self: _called(function, self))


for _name, _ufunc in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "matmul": np.matmul,
                      "and": np.bitwise_and, "or": np.bitwise_or}.items():
    _binary(_name, _ufunc, reverse=True)
for _name, _ufunc in {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
                      "ne": np.not_equal}.items():
    _binary(_name, _ufunc)
for _name, _ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
    _unary(_name, _ufunc)
