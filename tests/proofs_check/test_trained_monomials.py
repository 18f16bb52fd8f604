"""A trained polynomial Sumformer: torch's function, its error certified or refuted, and what is not it rejected."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from constructions.adapters import CompiledMeanSumformer
from constructions.errors import BadInput
from constructions.network.monomials import factors
from constructions.network.relu import MeanSumformer
from proofs_check.checkpoints import resume, store
from proofs_check.kernel import Certificate, Refuted
from proofs_check.sampling import sample
from proofs_check.subdivision import certify_by_subdivision, problem_of_trained
from proofs_check.sup_norm import Search
from proofs_check.trained import READING, assumed, read_trained
from proofs_check.witness import confirmed, thresholds_of
from tests.proofs_check.odd_networks import exact_output
from tests.proofs_check.test_trained import Arrays, good, stack, target

pytestmark = pytest.mark.usefixtures("one_torch_thread")
TEXT = "x*mean(y*y)"


def state(psi: torch.nn.Module) -> Arrays:
    return {f"psi.{name}": value.detach().numpy().copy() for name, value in psi.state_dict().items()}


def forward(psi: torch.nn.Module, tokens: torch.Tensor, count: int, pooling: str = "mean") -> torch.Tensor:
    """S(X) as torch computes it, (batch, n, d) to (batch, n, d_out)."""
    features = torch.stack([tokens[..., list(own)].prod(-1) for own in factors(tokens.shape[-1], count)], dim=-1)
    pooled = features.mean(1, keepdim=True) if pooling == "mean" else features.sum(1, keepdim=True)
    return torch.as_tensor(psi(torch.cat([tokens, pooled.expand(*tokens.shape[:2], -1)], dim=-1)))


def wanted(tokens: torch.Tensor) -> torch.Tensor:
    return tokens * (tokens * tokens).mean(1, keepdim=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Sequential, float]:
    """psi trained for a second, and the largest of many sampled errors."""
    torch.manual_seed(0)
    psi, tokens = stack(3, 12, 1), torch.rand(512, 2, 1, dtype=torch.float64)
    optimiser = torch.optim.Adam(psi.parameters(), lr=1e-2)
    means = torch.cat([tokens, tokens**2], dim=-1).mean(1, keepdim=True).expand(-1, 2, -1)
    inputs, outputs = torch.cat([tokens, means], dim=-1), wanted(tokens)
    for _ in range(300):
        optimiser.zero_grad()
        (psi(inputs) - outputs).pow(4).mean().backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("trained") / "psi.safetensors"
    save_file(state(psi), path)
    many = torch.rand(40_000, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return path, psi, float((forward(psi, many, 2) - wanted(many)).abs().max())


def read(path: Path, d: int = 1, d_out: int = 1, pooling: str = "mean") -> MeanSumformer:
    return read_trained(path, d=d, d_out=d_out, n=3, pooling=pooling, phi="monomials")


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize(("d", "widths"), [(1, (2, 1)), (1, (5, 6, 2)), (2, (7, 5, 1)), (2, (3, 4, 4, 1)), (3, (13, 4, 1))])
def test_the_network_is_torchs_function(d: int, widths: tuple[int, ...], pooling: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    psi, path = stack(*widths), tmp_path / "psi.safetensors"
    with torch.no_grad():
        for value in psi.parameters():
            value.copy_(value.float().double())  # n times a weight is exact
    save_file(state(psi), path)
    tokens = torch.randn(32, 3, d, dtype=torch.float64)
    found = read(path, d, widths[-1], pooling)
    np.testing.assert_allclose(found(tokens.numpy()), forward(psi, tokens, widths[0] - d, pooling).detach().numpy(), rtol=1e-11,
                               atol=1e-11)
    assert found.d_latent == widths[0] - d
    assert list(found.monomials.values()) == [own for own in factors(d, found.d_latent) if len(own) > 1]


def test_it_is_certified_above_and_refuted_below_its_sampled_error(trained: tuple[Path, torch.nn.Module, float]) -> None:
    path, _, sampled = trained
    assert sampled < 0.2  # it learned something: the constant 0 errs by 1
    above = Fraction(sampled) * Fraction(5, 4)
    asked, problem = problem_of_trained(target(TEXT, 2), path, "mean", above, "monomials")
    verdict, search = certify_by_subdivision(asked, problem, seconds=60)
    assert isinstance(verdict, Certificate), search.bound
    assert sampled <= verdict.proved_bound <= above
    below, found = certify_by_subdivision(replace(asked, bound=Fraction(sampled) * Fraction(99, 100)), problem, seconds=60)
    assert isinstance(below, Refuted)
    assert found.witness is not None
    tokens, own = found.witness.tokens, found.witness.own
    exactly = [[Fraction(value) for value in token] for token in tokens]
    f = exactly[own][0] * sum(x * x for x, in exactly) / 2
    assert abs(exact_output(problem.network, exactly, own)[0] - f) >= found.witness.error_at_least > Fraction(sampled) * 99 / 100


def test_the_search_for_the_worst_error_stays_below_what_is_proved(trained: tuple[Path, torch.nn.Module, float]) -> None:
    path, _, sampled = trained
    f = target(TEXT, 2)
    network = problem_of_trained(f, path, "mean", Fraction(1), "monomials")[1].network
    cpu = torch.device("cpu")
    found = sample(f, CompiledMeanSumformer(network, cpu), f.box, 2, thresholds_of(network, f), 20_000, cpu, 1)
    proved = confirmed(f, network, found)
    assert sampled * 0.99 < proved.maximum <= found.maximum * (1 + 1e-9)
    above = Fraction(proved.maximum) * Fraction(5, 4)
    verdict, _ = certify_by_subdivision(*problem_of_trained(f, path, "mean", above, "monomials"))
    assert isinstance(verdict, Certificate)
    assert proved.maximum <= verdict.proved_bound


def test_exchanged_monomials_are_refuted(tmp_path: Path) -> None:
    """mean(y_0 y_1) + x_0, exactly; with y_1^2 in its place the same bound is false."""
    path, f = tmp_path / "psi.safetensors", target("mean(y[0]*y[1]) + x[0]", 2, 2)
    weight = np.zeros((1, 7))
    weight[0, [0, 5]] = 1.0  # psi reads x_0, x_1, then means of y_0, y_1, y_0^2, y_0 y_1, y_1^2
    save_file({"psi.0.weight": weight}, path)
    claim, problem = problem_of_trained(f, path, "mean", Fraction(1, 20), "monomials")
    assert isinstance(certify_by_subdivision(claim, problem, seconds=60)[0], Certificate)
    exchanged = {"x.0*x.0": (0, 0), "x.0*x.1": (1, 1), "x.1*x.1": (0, 1)}
    other = replace(problem, network=replace(problem.network, monomials=exchanged))
    assert isinstance(certify_by_subdivision(claim, other, seconds=60)[0], Refuted)
    save_file({"psi.0.weight": weight[:, [0, 1, 2, 3, 4, 6, 5]]}, path)
    assert isinstance(certify_by_subdivision(*problem_of_trained(f, path, "mean", Fraction(1, 20), "monomials"), seconds=60)[0],
                      Refuted)


def test_a_weight_moved_until_samples_contradict_the_claim_is_refuted(trained: tuple[Path, torch.nn.Sequential, float],
                                                                      tmp_path: Path) -> None:
    path, psi, sampled = trained
    bound, tokens, arrays = Fraction(sampled) * Fraction(5, 4), torch.rand(2000, 2, 1, dtype=torch.float64), state(psi)
    for step in itertools.count(1):
        moved = stack(3, 12, 1)
        arrays["psi.0.weight"][4, 2] += 0.1 * step  # what reads the mean of y^2
        moved.load_state_dict({name.removeprefix("psi."): torch.from_numpy(array) for name, array in arrays.items()})
        if (forward(moved, tokens, 2) - wanted(tokens)).abs().max() > float(bound):
            break
    save_file(arrays, tmp_path / "moved.safetensors")
    for file, kind in ((path, Certificate), (tmp_path / "moved.safetensors", Refuted)):
        assert isinstance(certify_by_subdivision(*problem_of_trained(target(TEXT, 2), file, "mean", bound, "monomials"))[0], kind)


def test_a_checkpoint_of_other_monomials_is_refused(trained: tuple[Path, torch.nn.Module, float], tmp_path: Path) -> None:
    _, problem = problem_of_trained(target(TEXT, 2), trained[0], "mean", Fraction(1, 10), "monomials")
    search = Search.begin(problem, Fraction(1, 10))
    search.step()
    store(search, tmp_path / "state.npz")
    assert resume(problem, search.limit, tmp_path / "state.npz").judged == search.judged
    other = replace(problem, network=replace(problem.network, monomials={"x.0*x.0": (0, 0, 0)}))
    with pytest.raises(BadInput, match="another"):
        resume(other, search.limit, tmp_path / "state.npz")


@pytest.mark.parametrize(("arrays", "words"), [
    (good(), "holds phi.*, so phi is no monomials"), ({"psi.0.weight": np.ones((1, 1))}, "psi reads 1 features.* 1 of the own"),
    ({"psi.0.weight": np.ones((1, 1026))}, "1 to 1,024 pooled"), ({"psi.0.weight": np.ones((2, 3))}, "maps 3 features to 2"),
    ({"0.weight": np.ones((1, 3))}, "unexpected '0.weight'"), ({"psi.0.bias": np.ones(1)}, "psi.0.weight is missing")])
def test_another_file_is_bad_input(arrays: Arrays, words: str, tmp_path: Path) -> None:
    path = tmp_path / "psi.safetensors"
    save_file(arrays, path)
    with pytest.raises(BadInput, match=words):
        read(path)


def test_a_file_without_phi_says_which_option_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "psi.safetensors"
    save_file({"psi.0.weight": np.ones((1, 3))}, path)
    with pytest.raises(BadInput, match=r"holds no phi\.K\.weight; .*--phi monomials"):
        read_trained(path, d=1, d_out=1, n=2, pooling="mean")
    with pytest.raises(BadInput, match="--phi 'polynomial': expected file or monomials"):
        read_trained(path, d=1, d_out=1, n=2, pooling="mean", phi="polynomial")


@pytest.mark.parametrize(("d", "count", "listed"), [
    (1, 1, "the first monomial of the token in graded order, x, which"), (1, 3, "first 3 monomials .* order, x, x^2, x^3, which"),
    (2, 5, "x[0], x[1], x[0]^2, x[0] x[1], x[1]^2, which"), (1, 20, "x^5, x^6, .., x^20, which")])
def test_the_assumption_lists_the_monomials(d: int, count: int, listed: str, tmp_path: Path) -> None:
    path = tmp_path / "psi.safetensors"
    save_file({"psi.0.weight": np.ones((1, d + count))}, path)
    network = read(path, d)
    reading, order = assumed(path, "monomials", network)
    assert reading == READING
    assert all(part in order for part in listed.split(" .* "))
    assert assumed(tmp_path / "psi.onnx", "monomials", network) == (order,)
    assert assumed(path, "file", network) == (READING,)
