"""The dense Transformer formulas give the Sumformer's values bit for bit, and their weights matter."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from constructions.adapters import TorchArchitecture, torch_architecture
from constructions.architectures import Architecture, assemble
from constructions.continuous import construct_continuous
from constructions.errors import BadInput, Refused
from constructions.moduli import derived
from constructions.number_formats import FLOAT32, FLOAT64, NumberFormat
from constructions.planner import plan_grid
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.sumformers import Sumformer
from constructions.sumformers.grid import construct_grid
from constructions.targets.library import resolve

# target, eps, n, d, code
CASES = (("f", "1/10", 3, 1, "auto"), ("f", "1/5", 3, 1, "packed"), ("x[0]*mean(y[1])", "1/2", 2, 2, "auto"),
         ("moments", "1/4", 4, 1, "auto"))
Case = tuple[str, str, int, int, str]


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def build(case: Case, number_format: NumberFormat = FLOAT64, pooled: bool = True) -> Sumformer:
    name, eps, n, d, code = case
    target = resolve(name, n=n, d=d, domain="0,1")
    plan = plan_grid(target.box, n, target.d_out, Fraction(eps), derived(target), roundings=2 * n + 60, code=code,
                     number_format=number_format, pooled_in_floats=pooled)
    return construct_grid(target, plan.grid, plan.code, plan.number_format).sumformer


def architecture(sumformer: Sumformer, name: str) -> Architecture:
    return assemble(sumformer, pooling_head(name, linformer_k=5, performer_features=3))


def probes(sumformer: Sumformer, d: int, count: int) -> np.ndarray:
    """Random, boundary, equal-token and corner sequences in [0,1]."""
    rng = np.random.default_rng(0)
    t = sumformer.phi.nodes[0].table.thresholds
    special = np.concatenate([t, np.nextafter(t, 0), np.nextafter(t, 1), [0.0, 1.0]])
    shape = (count, sumformer.n, d)
    tokens = np.where(rng.random(shape) < 0.3, rng.random(shape), rng.choice(special, shape))
    tokens[: count // 4] = tokens[: count // 4, :1]
    return tokens


def test_the_fused_transformer_equals_the_written_one_to_rounding_and_other_heads_have_none() -> None:
    target = resolve("f", n=5, d=None, domain="0,1")
    built = construct_continuous(target, Fraction(1, 10), "sum-decomposition", [pooling_head(name) for name in ARCHITECTURES])
    tokens = torch.rand(2, 3, 5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    transformer, *others = built.architectures
    written, fused = TorchArchitecture.of(transformer)(tokens), TorchArchitecture.of(transformer, fused=True)(tokens)
    assert written.shape == fused.shape
    assert float((written - fused).abs().max()) < 1e-13
    for other in others:
        with pytest.raises(Refused, match="no fused torch form"):
            TorchArchitecture.of(other, fused=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("case", CASES)
def test_the_dense_forward_equals_the_look_up_bit_for_bit(case: Case, name: str) -> None:
    sumformer = build(case)
    tokens = torch.from_numpy(probes(sumformer, case[3], 1000))
    module = TorchArchitecture.of(architecture(sumformer, name))
    assert torch.equal(module(tokens), torch.from_numpy(sumformer(tokens.numpy())))
    order = torch.randperm(sumformer.n, generator=torch.Generator().manual_seed(1))
    assert torch.equal(module(tokens[:, order]), module(tokens)[:, order])


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("case", CASES[1:])
def test_the_dense_forward_equals_the_reference_over_fractions(case: Case, name: str) -> None:
    sumformer = build(case)
    built = architecture(sumformer, name)
    for tokens in probes(sumformer, case[3], 8)[::3]:
        exact = built.reference(np.frompyfunc(lambda value: Fraction(float(value)), 1, 1)(tokens))
        values = TorchArchitecture.of(built)(torch.from_numpy(tokens)).numpy()
        assert all(Fraction(float(a)) == b for a, b in zip(values.flat, exact.flat, strict=True))


@pytest.mark.parametrize(("name", "weight", "factor"), [("transformer", "W_V", 1.01), ("performer", "W_V", 1.01),
                                                        ("performer-normalised", "W_V", 1.01), ("linformer", "F", 1.01)])
def test_a_changed_pooling_weight_changes_the_output(name: str, weight: str, factor: float) -> None:
    sumformer = build(CASES[0])
    tokens = torch.from_numpy(probes(sumformer, 1, 500))
    module = TorchArchitecture.of(architecture(sumformer, name))
    before = module(tokens)
    [parameter] = [value for key, value in module.named_parameters() if key.endswith(f"attention.{weight}")]
    parameter.mul_(factor)
    assert not torch.equal(module(tokens), before)


def test_the_state_dict_has_field_standard_names_and_restores_the_module() -> None:
    sumformer = build(CASES[0])
    built = architecture(sumformer, "linformer")
    module, other = TorchArchitecture.of(built), TorchArchitecture.of(built)
    names = list(module.state_dict())
    assert names[:2] == ["embed.weight", "embed.bias"]
    assert names[-1] == "readout.weight"
    assert {name for name in names if "attention" in name} == {f"blocks.2.attention.{w}" for w in ("W_Q", "W_K", "W_V", "E", "F")}
    assert sum(parameter.numel() for parameter in module.parameters()) == built.n_parameters
    assert not any(parameter.requires_grad for parameter in module.parameters())
    for parameter in other.parameters():
        parameter.zero_()
    other.load_state_dict(module.state_dict())
    tokens = torch.rand(50, 3, 1, dtype=torch.float64)
    assert torch.equal(other(tokens), module(tokens))


def test_the_size_of_the_pieces_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    module = TorchArchitecture.of(architecture(build(CASES[0]), "transformer"))
    tokens = torch.rand(40, 3, 1, dtype=torch.float64)
    before = module(tokens)
    monkeypatch.setattr(torch_architecture, "PIECES", {"cpu": (64, 7)})
    assert torch.equal(module(tokens), before)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_block_that_pools_nothing_has_no_units_and_runs(name: str) -> None:
    target = resolve("mean((y - mean(y))**2)", n=2, d=None, domain="-1/1000,1/1000")  # within the tolerance of a constant
    built = construct_continuous(target, Fraction(1, 100), "sum-decomposition", [pooling_head(name)])
    assert built.sumformer.d_latent == 0
    tokens = torch.tensor([[[0.0], [1e-3]]], dtype=torch.float64)
    values = TorchArchitecture.of(built.architectures[0])(tokens)
    assert np.array_equal(values.numpy(), built.sumformer(tokens.numpy()))


def test_float32_networks_run_in_float32_and_others_are_refused() -> None:
    sumformer = build(("x*mean(y)", "1/2", 2, 1, "auto"), FLOAT32)
    tokens = torch.from_numpy(probes(sumformer, 1, 500).astype(np.float32))
    module = TorchArchitecture.of(architecture(sumformer, "transformer"), torch.float32)
    assert torch.equal(module(tokens).double(), torch.from_numpy(sumformer(tokens.double().numpy())))
    with pytest.raises(Refused, match=r"blocks.0.fc.W_1 are not torch.float32 numbers"):
        TorchArchitecture.of(architecture(build(CASES[0]), "transformer"), torch.float32)


def test_a_linformer_called_at_another_length_says_which_one_its_head_is_for() -> None:
    module = TorchArchitecture.of(architecture(build(CASES[0]), "linformer"))
    with pytest.raises(BadInput, match="4 tokens: expected 3, the columns of this Linformer's E and F"):
        module(torch.rand(2, 4, 1, dtype=torch.float64))


def test_huge_integer_weights_are_refused() -> None:
    sumformer = build(("f", "1/80", 3, 1, "positional"), pooled=False)
    with pytest.raises(Refused, match=r"W_1 holds integers beyond float64"):
        TorchArchitecture.of(architecture(sumformer, "transformer"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("case", CASES)
def test_the_dense_forward_is_the_same_on_a_gpu(case: Case, name: str) -> None:
    sumformer = build(case)
    tokens = torch.from_numpy(probes(sumformer, case[3], 1000))
    values = TorchArchitecture.of(architecture(sumformer, name)).cuda()(tokens.cuda())
    assert torch.equal(values.cpu(), torch.from_numpy(sumformer(tokens.numpy())))
