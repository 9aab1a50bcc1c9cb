"""Encoders that users write themselves."""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from sklearn_ssl._network.autoencoder import RowEncoder
from sklearn_ssl._table.schema import MISSING, Schema


class HasLayers(Protocol):
    """What a module of a user must have."""

    def layers(self, numeric: Tensor, codes: Tensor) -> Sequence[Tensor]:
        """Activations of shape (n_rows, width), the bottleneck first."""


EncoderFactory = Callable[[Schema, tuple[int, ...], int], nn.Module]
"""Called with the features, ``hidden_layer_sizes`` and ``bottleneck_size``."""


class CustomEncoder(RowEncoder):
    """A module that a factory of the user has made.

    Parameters
    ----------
    factory : callable
        Returns a module with a method ``layers``.

    schema : Schema
        The features that it reads.

    hidden_layer_sizes : tuple of int
        Passed on to the factory, which may ignore it.

    bottleneck_size : int
        Width that the first of the layers must have.

    generator : torch.Generator
        Source of the weights.

    Shape
    -----
    Input (n_rows, n_numeric) and (n_rows, n_categorical), output (n_rows, bottleneck_size).
    """

    def __init__(
        self,
        factory: EncoderFactory,
        schema: Schema,
        hidden_layer_sizes: tuple[int, ...],
        bottleneck_size: int,
        generator: torch.Generator,
    ):
        super().__init__()
        self.module = seeded(factory, schema, hidden_layer_sizes, bottleneck_size, generator)
        bottleneck, *hidden = widths_of_layers(self.module, schema)
        if bottleneck != bottleneck_size:
            raise ValueError(
                f"The first layer of encoder={_name(factory)} is the bottleneck and must have "
                f"bottleneck_size={bottleneck_size} columns; got {bottleneck}. The factory is "
                "called with the features, hidden_layer_sizes and bottleneck_size."
            )
        self.sizes = (*hidden, bottleneck)

    def layers(self, numeric: Tensor, codes: Tensor) -> list[Tensor]:
        return list(cast(HasLayers, self.module).layers(numeric, codes))


def seeded(
    factory: EncoderFactory,
    schema: Schema,
    hidden_layer_sizes: tuple[int, ...],
    bottleneck_size: int,
    generator: torch.Generator,
) -> nn.Module:
    """What a factory makes whose modules draw their weights from torch's global generator.

    The state of the global generator is put back.
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = factory(schema, hidden_layer_sizes, bottleneck_size)
    if not isinstance(module, nn.Module) or not callable(getattr(module, "layers", None)):
        raise TypeError(
            f"encoder={_name(factory)} must return a torch.nn.Module with a method "
            f"layers(numeric, codes); got {type(module).__name__}."
        )
    return module.float()


def widths_of_layers(module: nn.Module, schema: Schema) -> list[int]:
    """Widths of what a module makes of two rows."""
    numeric = torch.zeros(2, schema.n_numeric, dtype=torch.float32)
    codes = torch.full((2, schema.n_categorical), MISSING, dtype=torch.int32)
    # Evaluated, since a batch of two rows must not change running means of the module.
    module.eval()
    with torch.no_grad():
        layers = list(cast(HasLayers, module).layers(numeric, codes))
    module.train()
    for number, layer in enumerate(layers):
        if not isinstance(layer, Tensor) or layer.ndim != 2 or len(layer) != 2:
            shape = tuple(layer.shape) if isinstance(layer, Tensor) else type(layer).__name__
            raise ValueError(
                "layers(numeric, codes) of the encoder must return tensors of shape "
                f"(n_rows, width), the bottleneck first; layer {number} of 2 rows is {shape}."
            )
    if not layers:
        raise ValueError("layers(numeric, codes) of the encoder returned no layer.")
    return [layer.shape[1] for layer in layers]


def _name(factory: object) -> str:
    return getattr(factory, "__qualname__", repr(factory))
