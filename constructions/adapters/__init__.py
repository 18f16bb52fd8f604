"""Adapters to PyTorch: the assembled network as a module, and the Sumformer as table look-ups."""

from constructions.adapters.compiled import CompiledSumformer
from constructions.adapters.compiled_mean import CompiledMeanSumformer
from constructions.adapters.torch_architecture import TorchArchitecture

__all__ = ["CompiledMeanSumformer", "CompiledSumformer", "TorchArchitecture"]
