"""A trained Sumformer read from a state dict: it is torch's function, its error is certified, other files are refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from constructions.errors import BadInput, Refused
from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kernel import Certificate, Refuted
from proofs_check.subdivision import certify_by_subdivision, problem_of_trained
from proofs_check.trained import read_trained

Arrays = dict[str, np.ndarray]
pytestmark = pytest.mark.usefixtures("one_torch_thread")


def stack(*widths: int) -> torch.nn.Sequential:
    """Linear maps with ReLU between them."""
    modules: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        modules += [torch.nn.Linear(before, after, dtype=torch.float64), torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def state(phi: torch.nn.Module, psi: torch.nn.Module) -> Arrays:
    return {f"{part}.{name}": value.detach().numpy().copy() for part, module in (("phi", phi), ("psi", psi))
            for name, value in module.state_dict().items()}


def forward(phi: torch.nn.Module, psi: torch.nn.Module, tokens: torch.Tensor, pooling: str) -> torch.Tensor:
    """S(X) as torch computes it, (batch, n, d) to (batch, n, d_out)."""
    features = phi(tokens)
    pooled = features.mean(1, keepdim=True) if pooling == "mean" else features.sum(1, keepdim=True)
    return torch.as_tensor(psi(torch.cat([tokens, pooled.expand(*tokens.shape[:2], -1)], dim=-1)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Sequential, torch.nn.Sequential]:
    """phi and psi trained on x * mean(y), n = 2, for a second."""
    torch.manual_seed(0)
    phi, psi = stack(1, 4, 2), stack(3, 12, 1)
    tokens = torch.rand(512, 2, 1, dtype=torch.float64)
    wanted = tokens * tokens.mean(1, keepdim=True)
    optimiser = torch.optim.Adam([*phi.parameters(), *psi.parameters()], lr=1e-2)
    for _ in range(400):
        optimiser.zero_grad()
        loss = (forward(phi, psi, tokens, "mean") - wanted).abs().pow(4).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    path = tmp_path_factory.mktemp("trained") / "network.safetensors"
    save_file(state(phi, psi), path)
    return path, phi, psi


def target(text: str, n: int, d: int = 1) -> Target:
    found = resolve(text, n=n, d=d, domain="0,1")
    assert isinstance(found, Target)
    return found


def sampled_error(phi: torch.nn.Module, psi: torch.nn.Module) -> float:
    tokens = torch.rand(40_000, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float((forward(phi, psi, tokens, "mean") - tokens * tokens.mean(1, keepdim=True)).abs().max())


def test_a_trained_network_is_certified_above_its_sampled_error(trained: tuple[Path, torch.nn.Module, torch.nn.Module]) -> None:
    path, phi, psi = trained
    sampled = sampled_error(phi, psi)
    assert sampled < 0.2  # it learned something: the constant 0 errs by 1
    bound = Fraction(sampled) * Fraction(5, 4) + Fraction(1, 200)
    verdict, search = certify_by_subdivision(*problem_of_trained(target("x*mean(y)", 2), path, "mean", bound), seconds=60)
    assert isinstance(verdict, Certificate), search.bound
    assert sampled <= verdict.proved_bound <= bound
    assert verdict.claim.networks == ("sumformer",)


def test_a_bound_below_its_sampled_error_is_refuted(trained: tuple[Path, torch.nn.Module, torch.nn.Module]) -> None:
    path, phi, psi = trained
    bound = Fraction(sampled_error(phi, psi)) * Fraction(9, 10)
    verdict, search = certify_by_subdivision(*problem_of_trained(target("x*mean(y)", 2), path, "mean", bound), seconds=60)
    assert isinstance(verdict, Refuted)
    assert search.witness is not None
    tokens = torch.tensor(np.array(search.witness.tokens, dtype=np.float64))[None]
    with torch.no_grad():
        error = (forward(phi, psi, tokens, "mean") - tokens * tokens.mean(1, keepdim=True)).abs()[0, search.witness.own, 0]
    assert float(error) == pytest.approx(float(search.witness.error_at_least), rel=1e-9)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [((2, 5, 3), (5, 4, 2)), ((2, 3), (5, 2)), ((2, 6, 5, 1), (3, 7, 7, 2))])
def test_the_network_is_torchs_function(pooling: str, bias: bool, widths: tuple[tuple[int, ...], tuple[int, ...]],
                                        tmp_path: Path) -> None:
    torch.manual_seed(7)
    phi, psi = (stack(*part) for part in widths)
    n, path = 3, tmp_path / "network.safetensors"
    # float32 weights, so that n times a weight is exact
    arrays: Arrays = {name: (value.astype(np.float32).astype(np.float64) if pooling == "sum" else value)
                      for name, value in state(phi, psi).items() if bias or name.endswith("weight")}
    with torch.no_grad():
        for part, module in (("phi", phi), ("psi", psi)):
            for name, value in module.named_parameters():
                value.copy_(torch.tensor(arrays.get(f"{part}.{name}", np.zeros(value.shape))))
        save_file(arrays, path)
        tokens = torch.randn(64, n, 2, dtype=torch.float64)
        wanted = forward(phi, psi, tokens, pooling).numpy()
    found = read_trained(path, d=2, d_out=2, n=n, pooling=pooling)(tokens.numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    other = "sum" if pooling == "mean" else "mean"
    assert not np.allclose(found, forward(phi, psi, tokens, other).detach().numpy())  # the two poolings differ here


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_format_is_read_exactly(dtype: type, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    arrays: Arrays = {name: array.astype(dtype) for name, array in good().items()}
    save_file(arrays, path)
    network = read_trained(path, d=1, d_out=1, n=3, pooling="mean")
    assert np.array_equal(network.W_out, arrays["psi.2.weight"].T.astype(np.float64))


def test_module_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    """Module 10 comes after module 9, although its name sorts before."""
    path = tmp_path / "network.safetensors"
    arrays = good()
    renamed = {name.replace("phi.0.", "phi.9.").replace("phi.2.", "phi.10."): array for name, array in arrays.items()}
    save_file(arrays, path)
    before = read_trained(path, d=1, d_out=1, n=3, pooling="mean")
    save_file(renamed, path)
    tokens = np.linspace(0, 1, 12).reshape(4, 3, 1)
    assert np.array_equal(before(tokens), read_trained(path, d=1, d_out=1, n=3, pooling="mean")(tokens))


def good() -> Arrays:
    """A network from one coordinate through two features to one output."""
    rng = np.random.default_rng(3)
    shapes = {"phi.0.weight": (4, 1), "phi.0.bias": (4,), "phi.2.weight": (2, 4), "phi.2.bias": (2,),
              "psi.0.weight": (5, 3), "psi.0.bias": (5,), "psi.2.weight": (1, 5), "psi.2.bias": (1,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def without(*names: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: array for name, array in arrays.items() if name not in names}


def with_(name: str, array: np.ndarray) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: array}


@pytest.mark.parametrize(("change", "words"), [
    (with_("head.weight", np.ones((1, 1))), "unexpected 'head.weight'"),
    (with_("phi.00.weight", np.ones((4, 1))), "unexpected 'phi.00.weight'"),
    (with_("phi.1\u0662.weight", np.ones((4, 1))), "unexpected"), (with_("phi.2.bias\n", np.ones(2)), "unexpected"),
    (with_("phi." + 5000 * "9" + ".weight", np.ones((4, 1))), "unexpected"),
    (with_("phi.1.running_mean", np.ones(4)), "unexpected 'phi.1.running_mean'"),
    (without("phi.0.weight", "phi.0.bias", "phi.2.weight", "phi.2.bias"), "holds no phi.K.weight"),
    (without("psi.0.weight", "psi.0.bias", "psi.2.weight", "psi.2.bias"), "holds no psi.K.weight"),
    (without("phi.2.weight"), "phi.2.weight is missing"),
    (with_("phi.2.weight", np.ones(4)), "phi.2.weight is no matrix"),
    (with_("phi.2.bias", np.ones(3)), r"bias \(3,\) of phi.2 do not fit"),
    (with_("phi.2.weight", np.ones((2, 3))), r"weight \(2, 3\) and bias \(2,\) of phi.2 do not fit"),
    (with_("psi.2.weight", np.full((1, 5), np.nan)), "psi.2 holds a weight that is not finite"),
    (with_("psi.2.bias", np.full(1, np.inf)), "psi.2 holds a weight that is not finite"),
    (with_("phi.0.weight", np.ones((4, 1), dtype=np.int64)), "phi.0.weight holds int64, expected float16"),
    (with_("phi.0.weight", np.ones((4, 2))), "phi maps 2 features to 2; the target needs 1 to 2"),
    (with_("psi.0.weight", np.ones((5, 4))), "psi maps 4 features to 1; the target needs 3 to 1"),
])
def test_another_network_is_bad_input(change: Callable[[Arrays], Arrays], words: str, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(change(good()), path)
    with pytest.raises(BadInput, match=words):
        read_trained(path, d=1, d_out=1, n=3, pooling="mean")


def test_two_outputs_do_not_fit_one(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(good(), path)
    with pytest.raises(BadInput, match="psi maps 3 features to 1; the target needs 3 to 2"):
        read_trained(path, d=1, d_out=2, n=3, pooling="mean")


def of_format(name: str) -> bytes:
    """A file with eight bytes in a format of the safetensors standard."""
    header = f'{{"phi.0.weight": {{"dtype": "{name}", "shape": [8], "data_offsets": [0, 8]}}}}'.encode()
    return len(header).to_bytes(8, "little") + header + bytes(8)


@pytest.mark.parametrize("content", [None, b"", b"not tensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{}", of_format("F8_E4M3"),
                                     of_format("F8_E5M2"), of_format("no format")])
def test_a_file_that_is_no_state_dict_is_bad_input(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        read_trained(path, d=1, d_out=1, n=3, pooling="mean")


def test_pooling_is_a_mean_or_a_sum(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(good(), path)
    with pytest.raises(BadInput, match=r"'max'.*mean or sum"):
        read_trained(path, d=1, d_out=1, n=3, pooling="max")


def test_a_sum_whose_weights_would_round_is_refused(tmp_path: Path) -> None:
    """3 times a float64 with a full mantissa is none: nothing is rounded silently."""
    path = tmp_path / "network.safetensors"
    arrays = good()
    arrays["psi.0.weight"][0, 2] = 1 + 2.0**-52
    save_file(arrays, path)
    with pytest.raises(BadInput, match="3 times a weight of psi is no float64 number"):
        read_trained(path, d=1, d_out=1, n=3, pooling="sum")
    arrays["psi.0.weight"] = arrays["psi.0.weight"].astype(np.float32).astype(np.float64)
    save_file(arrays, path)
    assert isinstance(read_trained(path, d=1, d_out=1, n=3, pooling="sum"), MeanSumformer)
    arrays["psi.0.weight"][0, 2] = -1e308  # 3 times that is beyond the format
    save_file(arrays, path)
    with pytest.raises(BadInput, match="3 times a weight of psi is no float64 number"):
        read_trained(path, d=1, d_out=1, n=3, pooling="sum")


def test_positions_and_many_tokens_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(good(), path)
    with pytest.raises(Refused, match="dimensions"):
        problem_of_trained(target("x*mean(y)", 100), path, "mean", Fraction(1))
    placed = resolve("mean(y)*i/n", n=2, d=None, domain="0,1", positional=True)
    with pytest.raises(Refused, match="without positions"):
        problem_of_trained(placed, path, "mean", Fraction(1))
