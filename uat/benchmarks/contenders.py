"""What is timed: one certified network as everything a user would run, and attention of the same width beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from constructions.adapters import CompiledMeanSumformer, TorchArchitecture
from constructions.architectures import assemble_mean
from constructions.network.relu import MeanSumformer
from constructions.number_formats import NumberFormat
from constructions.pooling import pooling_head

COMPILED = "sumformer-compiled"
FUSED = "transformer-fused"
PEER = "scaled-dot-product-attention"
# Each with what it is; the modules evaluate all weights, zeros too, the compiled forward only what is not zero.
HEADS = ("transformer", "linformer", "performer")
CONTENDERS = {
    COMPILED: "psi(x_i, mean phi) by the compiled linear-time forward",
    "linformer": "dense torch module, all blocks",
    "performer": "dense torch module, all blocks",
    "transformer": "dense torch module, all blocks, n x n scores in memory",
    FUSED: "the transformer module with torch's fused attention",
    PEER: "torch's attention alone, one head as wide as the modules' stream; computes another function",
}


@dataclass(frozen=True)
class Contender:
    """One architecture at one length.

    Attributes:
        n_parameters: entries of all weight arrays, zeros included; 0 for attention alone, which is given its Q, K and V.
        forward: (1, n, d) tokens to (1, n, d_out) values.
        same_function: whether it computes the certified network.
    """

    name: str
    n_parameters: int
    forward: Callable[[Tensor], Tensor]
    same_function: bool = True


def contender(name: str, sumformer: MeanSumformer, number_format: NumberFormat, n: int, *, device: torch.device,
              seed: int) -> Contender:
    """Build one architecture of the network on n tokens, on a device, in the network's number format."""
    dtype = torch_dtype(number_format)
    if name == COMPILED:
        return Contender(name, sumformer.n_parameters, CompiledMeanSumformer(sumformer, device, dtype))
    if name == PEER:
        generator = torch.Generator().manual_seed(seed)
        Q, K, V = (torch.rand(1, 1, n, width(sumformer), generator=generator, dtype=dtype).to(device) for _ in range(3))
        return Contender(name, 0, lambda tokens: torch.nn.functional.scaled_dot_product_attention(Q, K, V), same_function=False)
    head = pooling_head("transformer" if name == FUSED else name, seed=seed)
    architecture = assemble_mean(sumformer, head, n, number_format)
    module = TorchArchitecture.of(architecture, dtype, fused=name == FUSED).to(device)
    return Contender(name, architecture.n_parameters, torch.inference_mode()(module))


def width(sumformer: MeanSumformer) -> int:
    """Return d_model of the network's modules: its channels and the channel 1."""
    return len(sumformer.channels) + 1


def torch_dtype(number_format: NumberFormat) -> torch.dtype:
    """Return the torch type of a format."""
    return torch.float32 if number_format.name == "float32" else torch.float64
