"""A second device for tests without a GPU: its tensors lie in the processor's memory but refuse what CUDA's tensors refuse.

A tensor of the device wraps one of the processor and reports the device ``pretend:0`` (torch's ``privateuseone``). As on CUDA:
an operation on tensors of both devices is an error, a 0-dimensional tensor of the processor among element-wise operands and
indices that pick from a tensor of the device aside; ``.numpy()`` is an error; random numbers need a generator of the device, and
``torch.Generator`` makes none here; matrices of integers are not multiplied; ``x / scalar`` is x times the rounded reciprocal. It
stands in for where tensors are, never for what a GPU's kernels are (``rounding.py`` has what these may do to numbers).
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
aten = torch.ops.aten
# what moves numbers from one device to the other
MOVES = {aten.copy_.default, aten._to_copy.default}
# indices may be the processor's, what is indexed and what is stored may not
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default,
           aten._unsafe_index.Tensor}
# products of matrices of integers, which CUDA has none of
PRODUCTS = {aten.mm.default, aten.bmm.default, aten.mv.default, aten.dot.default, aten.addmm.default, aten.addmm_.default,
            aten.addmv.default, aten.baddbmm.default}
QUOTIENTS = {aten.div.Tensor, aten.div_.Tensor, aten.div.Scalar, aten.div_.Scalar}
_libraries: list[Any] = []


class PretendTensor(torch.Tensor):
    """A tensor of the device; ``inner`` is where its numbers are."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> PretendTensor:
        with torch.inference_mode(False):  # torch refuses to make views of parameters that would be inference tensors
            made = torch.Tensor._make_wrapper_subclass(
                cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
                layout=inner.layout, device=torch.device(NAME, 0), requires_grad=False)
        made.inner = inner
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"PretendTensor({self.inner!r})"

    def tolist(self) -> Any:
        """Copy to Python numbers, as CUDA's does."""
        return self.inner.tolist()

    def data_ptr(self) -> int:
        """Return where the numbers are."""
        return self.inner.data_ptr()

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse, as CUDA's does."""
        raise TypeError(f"can't convert {NAME}:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor first.")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        parts = func.decompose(*args, **kwargs or {})  # what torch itself makes of others, which inference mode leaves to us
        return computed(func, args, kwargs or {}) if parts is NotImplemented else parts


class PretendModule:
    """What ``torch.pretend`` offers: the names of ``torch.cuda`` that are used, and how often it was waited for."""

    synchronized = 0

    def synchronize(self, device: Any = None) -> None:
        """Count."""
        self.synchronized += 1

    def is_available(self) -> bool:
        """Say so."""
        return True

    def is_initialized(self) -> bool:
        """Say so."""
        return True

    def device_count(self) -> int:
        """Return 1."""
        return 1

    def current_device(self) -> int:
        """Return 0."""
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Do nothing: the device has no generator."""

    def get_device_name(self, device: Any = None) -> str:
        """Return a name."""
        return "a pretend device"

    def mem_get_info(self, device: Any = None) -> tuple[int, int]:
        """Return free and total bytes."""
        return 2**33, 2**34

    def reset_peak_memory_stats(self, device: Any = None) -> None:
        """Do nothing."""

    def memory_allocated(self, device: Any = None) -> int:
        """Return bytes."""
        return 2**20

    def max_memory_allocated(self, device: Any = None) -> int:
        """Return bytes, more than there are now."""
        return 2**21


@functools.cache
def pretend_device() -> torch.device:
    """Register the device, once in a process, and return it."""
    _setup_privateuseone_for_python_backend(rename=NAME, backend_module=PretendModule())
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda func, *args, **kwargs: computed(func, args, kwargs), "PrivateUse1")
    copying = torch.library.Library("aten", "IMPL")  # torch calls this one from inside, past the fallback
    copying.impl("_copy_from", _copied, "PrivateUse1")
    _libraries.extend((library, copying))  # they last as long as they are referred to
    return torch.device(NAME, 0)


def computed(func: Any, args: Any, kwargs: Any) -> Any:
    """Do what the operation does, on the processor, for arguments that the device accepts."""
    _refuse_mixing(func, args, kwargs)
    wanted, given = _device_of(args, kwargs), kwargs.get("device")
    if given is not None:
        wanted, kwargs = torch.device(given), {**kwargs, "device": torch.device("cpu")}
    generator = kwargs.get("generator")
    if generator is not None and wanted.type != generator.device.type:
        raise RuntimeError(f"Expected a '{wanted.type}' device type for generator but found '{generator.device.type}'")
    if func in PRODUCTS and not args[0].is_floating_point():
        raise RuntimeError(f'"{func}" not implemented for integers on {NAME}')
    inner_args, inner_kwargs = tree_map(_inner, args), tree_map(_inner, kwargs)
    if func in QUOTIENTS and _on_host(args[1]):
        divisor = torch.as_tensor(args[1], dtype=torch.float64)
        func, inner_args = (aten.mul_ if func._schema.is_mutable else aten.mul).Tensor, (inner_args[0], float(1.0 / divisor))
    found = func(*inner_args, **inner_kwargs)
    if func._schema.is_mutable:
        return _same_objects(found, args, kwargs)
    return tree_map(lambda one: PretendTensor(one) if isinstance(one, torch.Tensor) and wanted.type == NAME else one, found)


def _copied(source: torch.Tensor, destination: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    _inner(destination).copy_(_inner(source))
    return destination


def _device_of(args: Any, kwargs: Any) -> torch.device:
    there = any(isinstance(one, PretendTensor) for one in tree_flatten((args, kwargs))[0])
    return torch.device(NAME if there else "cpu", 0 if there else None)


def _refuse_mixing(func: Any, args: Any, kwargs: Any) -> None:
    if func in MOVES:
        return
    if func in INDEXED:
        args = (args[0], *args[2:])  # without the indices
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    there = [one for one in tensors if isinstance(one, PretendTensor)]
    single = torch.Tag.pointwise in func.tags or func in INDEXED
    strangers = [one for one in tensors if not isinstance(one, PretendTensor) and not (single and one.ndim == 0)]
    if there and strangers:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, but found {NAME}:0 and cpu")
    if func in INDEXED and not there:
        raise RuntimeError(f"{func}: indices should be either on cpu or on the same device as the indexed tensor (cpu)")


def _inner(one: Any) -> Any:
    return one.inner if isinstance(one, PretendTensor) else one


def _on_host(one: Any) -> bool:
    return not isinstance(one, PretendTensor)


def _same_objects(found: Any, args: Any, kwargs: Any) -> Any:
    """Return the arguments that were written to, as in-place operations do."""
    wrapped = {id(one.inner): one for one in tree_flatten((args, kwargs))[0] if isinstance(one, PretendTensor)}
    return tree_map(lambda one: wrapped.get(id(one), one) if isinstance(one, torch.Tensor) else one, found)
