"""Stacks of networks: members are independent, padding stays empty, and what is extracted is what was trained."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from flint import arb

from constructions.network.monomials import factors
from constructions.progress import silent
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kernel import Certificate
from proofs_check.subdivision import certify_by_subdivision, problem_of_trained
from proofs_check.trained import read_trained
from uat.experiments.data import examples
from uat.experiments.extracted import Extracted
from uat.experiments.mixers import Head, Linformer, Performer, Softmax
from uat.experiments.monomials import monomials, printed_latent_dimension
from uat.experiments.proved import SHARPNESS, proved_bound
from uat.experiments.sequence_models import ARCHITECTURES, sequence_model
from uat.experiments.stacked import generators
from uat.experiments.sumformers import KINDS, Member, StackedSumformer
from uat.experiments.training import Schedule, train
from uat.experiments.worst import worst_error

pytestmark = pytest.mark.usefixtures("one_torch_thread")
CPU = torch.device("cpu")


def own_times_mean() -> Target:
    target = resolve("own-times-mean", n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    return target


def trained(kind: str, latent: tuple[int, ...] = (3,), epochs: int = 6) -> StackedSumformer:
    data = examples([own_times_mean()], 200, 50, 0, CPU)
    stack = StackedSumformer(kind, [Member(f"d'={k}", k) for k in latent], 1, 1, 0, hidden=(16, 16))
    stack.standardise(*data.spread())
    train(stack, data, Schedule(epochs, batch=20, learning_rate=1e-2), seed=0, name="test")
    return stack


@pytest.mark.parametrize(("d", "count"), [(1, 7), (3, 12), (4, 125)])
def test_monomials_are_the_products_of_their_factors_in_graded_order(d: int, count: int) -> None:
    tokens = torch.rand(5, d, dtype=torch.float64)
    own = factors(d, count)
    naive = torch.stack([math.prod((tokens[:, c] for c in monomial), start=torch.ones(5)) for monomial in own], dim=-1)
    torch.testing.assert_close(monomials(tokens, count), naive)
    assert len(set(own)) == count
    assert [len(one) for one in own] == sorted(len(one) for one in own)


def test_the_printed_latent_dimension_ends_a_degree() -> None:
    n, d = 5, 4
    assert [len(one) for one in factors(d, printed_latent_dimension(n, d) + 1)][-2:] == [n, n + 1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_trains_in_a_stack_as_it_does_alone(kind: str) -> None:
    together, alone = trained(kind, (1, 4)), trained(kind, (1,))
    tokens = torch.rand(10, 3, 1)
    torch.testing.assert_close(together(*together.prepared(tokens))[:1], alone(*alone.prepared(tokens)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_of_smaller_members_stays_empty(kind: str) -> None:
    stack = trained(kind, (1, 4))
    assert not stack.psi_mean.weight[0, 1:].any()
    assert stack.psi_mean.weight[1].all()
    used = sum(int(value[0].count_nonzero()) for value in stack.parameters())
    assert used == stack.parameters_of(0) < stack.parameters_of(1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_extracted_network_is_the_trained_one_and_lies_in_its_enclosure(kind: str) -> None:
    stack = trained(kind, (1, 3))
    network = Extracted.of(stack, 1)
    tokens = torch.rand(20, 3, 1, dtype=torch.float64)
    values = network(tokens)
    torch.testing.assert_close(values, stack(*stack.prepared(tokens.float()))[1].double(), rtol=1e-4, atol=1e-5)
    enclosed = network.balls(tokens[0].numpy())
    assert all(abs(enclosed[i, 0] - arb(float(values[0, i, 0]))) < 1e-12 for i in range(3))
    assert not any(enclosed[i, 0].contains(arb(float(values[0, i, 0]) + 1e-3)) for i in range(3))


def test_counts_stand_for_repeated_tokens() -> None:
    network = Extracted.of(trained("mlp"), 0)
    few, long = torch.tensor([[[0.2], [0.9]]]).double(), torch.tensor([[[0.2], [0.9], [0.9], [0.9]]]).double()
    torch.testing.assert_close(network(few, counts=(1, 3)), network(long)[:, :2])


def test_a_trained_network_is_stored_as_certify_reads_it(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    network = Extracted.of(trained("mlp"), 0)
    save_file(network.arrays(), tmp_path / "network.safetensors")
    read = read_trained(tmp_path / "network.safetensors", d=1, d_out=1, n=3, pooling="mean")
    tokens = np.random.default_rng(0).random((5, 3, 1))
    np.testing.assert_allclose(read(tokens), network(torch.from_numpy(tokens)).numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("kind", "phi"), [("mlp", "file"), ("polynomial", "monomials")])
def test_what_is_proved_of_a_trained_network_holds_and_is_proved_again_from_its_file(kind: str, phi: str, tmp_path: Path) -> None:
    target, network, file = own_times_mean(), Extracted.of(trained(kind), 0), tmp_path / "network.safetensors"
    found = worst_error(target, network, samples=4000, seed=0, device=CPU).error
    bound = proved_bound(target, network, found, boxes=2**14, file=file, report=silent)
    assert bound is not None
    assert Fraction(found) <= bound <= SHARPNESS * Fraction(found)
    assert isinstance(certify_by_subdivision(*problem_of_trained(target, file, "mean", bound, phi))[0], Certificate)
    assert proved_bound(target, network, found / 2, boxes=2**14, file=None, report=silent) is None  # more than that occurs


def test_with_few_boxes_the_bound_is_larger_and_still_holds() -> None:
    target, network = own_times_mean(), Extracted.of(trained("mlp"), 0)
    found = worst_error(target, network, samples=4000, seed=0, device=CPU).error
    bound = proved_bound(target, network, found, boxes=4, file=None, report=silent)
    assert bound is not None
    assert bound > SHARPNESS * Fraction(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_error_is_certain_and_no_smaller_than_what_is_sampled(kind: str) -> None:
    target, network = own_times_mean(), Extracted.of(trained(kind), 0)
    worst = worst_error(target, network, samples=4000, seed=0, device=CPU)
    tokens = torch.rand(2000, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert worst.error >= float((network(tokens) - target.torch(tokens)).abs().max())
    witness = torch.tensor(worst.witness, dtype=torch.float64)[None]
    at_witness = float((network(witness) - target.torch(witness)).abs()[0, worst.own, 0])
    assert at_witness * (1 - 1e-9) < worst.error <= at_witness * (1 + 1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architectures_take_other_lengths_and_all_but_linformer_are_equivariant(architecture: str) -> None:
    stack = sequence_model(architecture, ["a", "b"], 2, 1, 6, 0)
    tokens = torch.rand(4, 6, 2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    with torch.no_grad():
        values, moved = (stack(*stack.prepared(part)) for part in (tokens, tokens[:, order]))
        assert values.shape == (2, 4, 6, 1)
        assert torch.allclose(moved, values[:, :, order], atol=1e-5) == (architecture != "linformer")
        assert stack(*stack.prepared(torch.rand(4, 40, 2))).isfinite().all()


def test_architectures_have_about_as_many_parameters() -> None:
    sizes = [sequence_model(name, ["a"], 2, 1, 16, 0).parameters_of(0) for name in ARCHITECTURES]
    assert max(sizes) < 1.2 * min(sizes)
    stack = sequence_model("linformer", ["a"], 2, 1, 16, 0)
    assert stack.parameters_of(0) == sum(value.numel() for value in stack.parameters())


def test_heads_compute_their_formulas() -> None:
    x = torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    softmax = Softmax(4, generators(0, ["a"]))

    def parts(head: Head) -> tuple[torch.Tensor, ...]:
        return head.W_Q(x), head.W_K(x), head.W_V(x)

    with torch.no_grad():
        q, k, v = parts(softmax)
        torch.testing.assert_close(softmax(x), torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v)
        linformer = Linformer(4, generators(0, ["a"]), n=5, k=3)
        q, k, v = parts(linformer)
        weights = torch.softmax(q @ (linformer.E @ k).transpose(-1, -2) / 2, -1)
        torch.testing.assert_close(linformer(x), weights @ (linformer.F @ v))
        performer = Performer(4, generators(0, ["a"]), features=20_000)
        q, k, v = parts(performer)
        expected = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v  # what random features estimate
        torch.testing.assert_close(performer(x), expected, atol=0.02, rtol=0.05)
