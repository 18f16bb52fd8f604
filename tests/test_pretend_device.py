"""The pretend device refuses what CUDA refuses: else nothing that runs on it says anything about a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.pretend_device import PretendTensor, pretend_device

HERE = torch.arange(6.0, dtype=torch.float64)


def there() -> torch.Tensor:
    return HERE.clone().to(pretend_device())


def index_there() -> torch.Tensor:
    return torch.tensor([0, 1]).to(pretend_device())


REFUSED: dict[str, Callable[[], Any]] = {
    "sum of two devices": lambda: there() + HERE,
    "product of matrices": lambda: there().view(2, 3) @ HERE.view(3, 2),
    "concatenation": lambda: torch.cat([there(), HERE]),
    "a single number among stacked ones": lambda: torch.stack([there()[0], HERE[0]]),
    "choice": lambda: torch.where(there() > 0, there(), HERE),
    "search": lambda: torch.searchsorted(there(), HERE),
    "result elsewhere": lambda: torch.add(there(), there(), out=HERE.clone()),
    "in place": lambda: HERE.clone().add_(there()),
    "index of the device into the processor": lambda: HERE[index_there()],
    "mask of the device into the processor": lambda: HERE[there() > 0],
    "stored at indices": lambda: there().index_put_((index_there(),), HERE[:2]),
    "numpy": lambda: there().numpy(),
    "numpy by itself": lambda: np.asarray(there()),
    "product of matrices of integers": lambda: there().long().view(2, 3) @ there().long().view(3, 2),
    "generator of the processor": lambda: torch.rand(3, device=pretend_device(), generator=torch.Generator()),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_devices_do_not_mix(what: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=r"device|indices|generator|integers"):
        REFUSED[what]()


ALLOWED: dict[str, tuple[Callable[[], torch.Tensor], torch.Tensor]] = {
    "number": (lambda: there() * 2.0, HERE * 2),
    "single number of the processor": (lambda: there() + HERE[1], HERE + 1),
    "indices of the processor": (lambda: there()[torch.tensor([1, 4])], HERE[[1, 4]]),
    "mask": (lambda: there()[there() > 2], HERE[3:]),
    "copied over": (lambda: torch.empty(6, dtype=torch.float64, device=pretend_device()).copy_(HERE), HERE),
    "assigned over": (lambda: _assigned(there(), HERE), HERE.flip(0)),
    "made there": (lambda: torch.tensor([1.0, 2.0], device=pretend_device()), torch.tensor([1.0, 2.0])),
    "view written to": (lambda: _written(there()), torch.tensor([0.0, 7, 2, 3, 7, 5], dtype=torch.float64)),
    "from numpy": (lambda: torch.as_tensor(np.ones(2), device=pretend_device()), torch.ones(2, dtype=torch.float64)),
    "random numbers of its own": (lambda: torch.rand(3, device=pretend_device()) >= 0, torch.ones(3, dtype=torch.bool)),
}


def _assigned(there: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    there[:] = values.flip(0)
    return there


def _written(there: torch.Tensor) -> torch.Tensor:
    there.view(2, 3)[:, 1] = 7.0
    return there


@pytest.mark.parametrize("what", sorted(ALLOWED))
def test_what_a_gpu_does_it_does_too(what: str) -> None:
    made, wanted = ALLOWED[what]
    found = made()
    assert isinstance(found, PretendTensor)
    assert found.device == pretend_device()
    assert torch.equal(found.cpu(), wanted)


def test_a_quotient_by_a_number_is_a_product_with_its_reciprocal() -> None:
    """As torch has it on CUDA; by an array of the device it is a quotient."""
    many = torch.arange(1.0, 200.0, dtype=torch.float64).to(pretend_device())
    by_number, by_array = (many / 49.0).cpu(), (many / torch.full_like(many, 49.0)).cpu()
    assert torch.equal(by_array, many.cpu() / 49.0)
    assert not torch.equal(by_number, by_array)


def test_gradients_and_optimisers_run_there() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2, dtype=torch.float64).to(pretend_device())
    optimiser = torch.optim.Adam(layer.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = (layer(there().view(2, 3)) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert isinstance(layer.weight, PretendTensor)
    assert losses[-1] < losses[0]


def test_float_and_truth_are_copied_back() -> None:
    assert float(there()[3]) == 3.0
    assert bool((there() > 4).any())
    assert there().tolist() == HERE.tolist()
