"""torchvision's networks as the benchmarks take them: no auxiliary outputs, random weights from a seed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.peers.torchvision_operators import declare

SEED = 0
CLASSES = frozenset({21, 1000})  # of the segmentation and the classification networks
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
    "deeplabv3": {"aux_loss": None, "weights_backbone": None},
    "fcn": {"aux_loss": None, "weights_backbone": None},
    "lraspp": {"weights_backbone": None},
}
"""What a constructor is told, by the beginning of the network's name."""
SIDES = {"inception_v3": 299, "swin_v2": 256}
"""The side of the image, by the beginning of the network's name; 224 elsewhere."""


def packages() -> tuple[Any, Any, Any]:
    """Import torch and torchvision; the third value is to be kept alive (see `torchvision_operators`)."""
    torch: Any = import_module("torch")
    declared = declare()
    return torch, import_module("torchvision"), declared


def build(torch: Any, torchvision: Any, name: str) -> Any:
    """The network `name` in evaluation mode; it returns one tensor.

    Raises:
        ValueError: torchvision has no such network.
    """
    torch.manual_seed(SEED)
    told = next((value for start, value in OPTIONS.items() if name.startswith(start)), None)
    model = torchvision.models.get_model(name, weights=None, **(told or {})).eval()
    model.register_forward_hook(_prediction)
    return model


def _prediction(model: Any, inputs: Any, output: Any) -> Any:
    """The tensor in what a network returns: segmentation networks name theirs `out`."""
    return output if hasattr(output, "shape") else output["out"]


def stir(torch: Any, model: Any) -> None:
    """Add normal noise of deviation 0.1 to whatever the initialisation leaves at one number.

    These are scales, shifts, running statistics, layer scales and a classifier of zeros. Without it, a shift
    that is lost or an output that is zero whatever happens would hide a mistake.
    """
    with torch.no_grad():
        for values in (*model.parameters(), *model.buffers()):
            if values.is_floating_point() and values.numel() > 1 and values.min() == values.max():
                values.add_(0.1 * torch.randn_like(values))


def example(torch: Any, name: str) -> Any:
    """An image batch of one."""
    side = next((size for start, size in SIDES.items() if name.startswith(start)), 224)
    return torch.randn(1, 3, side, side)


def classifiers(torch: Any, model: Any) -> list[Any]:
    """The layers whose units are the classes."""
    nn = torch.nn
    return [
        layer
        for layer in model.modules()
        if (isinstance(layer, nn.Linear) and layer.out_features in CLASSES)
        or (isinstance(layer, nn.Conv2d) and layer.out_channels in CLASSES)
    ]
