"""Export networks anew with free sizes: height and width of images, the length of sequences, and the batch.

Run it with the environment that `make peers` builds:

    build/peers/exporters/bin/python -m benchmarks.peers.export_dynamic -o FOLDER [NAME ...] [--list]

A name is SOURCE__NETWORK__EXPORTER, as in `tv__resnet18__torchscript`. Weights are drawn from a seed;
nothing is fetched. Prints one JSON object a file.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.exporting import run
from benchmarks.peers.torchvision_operators import declare

os.environ["HF_HUB_OFFLINE"] = "1"
SEED = 0
PACKAGES = ("torch", "torchvision", "timm", "transformers", "onnx", "onnxscript")
SIDE, LENGTH = 64, 12

TORCHVISION = (
    "resnet18",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "regnet_x_400mf",
    "mnasnet0_5",
    "squeezenet1_1",
    "efficientnet_b0",
    "lraspp_mobilenet_v3_large",
    "densenet121",
)
TIMM = (
    "resnet10t",
    "lcnet_050",
    "mobilenetv4_conv_small",
    "tinynet_e",
    "ghostnet_100",
    "convnext_atto",
    "repvgg_a0",
    "semnasnet_075",
    "regnety_002",
    "hardcorenas_a",
    "edgenext_xx_small",
    "test_resnet",
    "test_efficientnet",
    "test_byobnet",
)
TEXT: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {"pad_token_id": 1},
    "Electra": {"embedding_size": 64},
    "Albert": {"embedding_size": 32},
    "DistilBert": {"dim": 64, "n_heads": 4, "n_layers": 2, "hidden_dim": 96},
    "MPNet": {"pad_token_id": 1},
    "XLMRoberta": {"pad_token_id": 1},
    "ModernBert": {"local_attention": 16, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
    "SqueezeBert": {"embedding_size": 64},
    "NomicBert": {},
    "Ernie": {},
    "MobileBert": {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "LayoutLM": {},
    "ConvBert": {"embedding_size": 64},
}
"""transformers' encoders, and what else their configurations are told."""
SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 130,
}
PICTURE: dict[str, dict[str, Any]] = {
    "Segformer": {
        "depths": [1, 1, 1, 1],
        "hidden_sizes": [16, 32, 48, 64],
        "num_attention_heads": [1, 2, 3, 4],
        "decoder_hidden_size": 32,
    },
    "ConvNext": {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 48, 64]},
    "PoolFormer": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 48, 64]},
    "RegNet": {
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 48, 64],
        "depths": [1, 1, 2, 1],
        "groups_width": 16,
    },
}
BY_DYNAMO = frozenset(
    {"tv__resnet18", "timm__test_resnet", "timm__lcnet_050", "tv__squeezenet1_1"}
    | {
        f"hf__{name}"
        for name in ("Bert", "Electra", "ModernBert", "NomicBert", "DistilBert", "ConvNext", "Segformer")
    }
)
"""What is exported by the exporter that captures programs; the others by the one that follows a run."""


def names() -> list[str]:
    """Every name that can be exported."""
    plain = [
        *(f"tv__{name}" for name in TORCHVISION),
        *(f"timm__{name}" for name in TIMM),
        *(f"hf__{name}" for name in (*TEXT, *PICTURE)),
    ]
    return [f"{name}__{'dynamo' if name in BY_DYNAMO else 'torchscript'}" for name in plain]


def build(torch: Any, source: str, name: str) -> tuple[Any, dict[str, Any], dict[str, dict[int, str]]]:
    """A network in evaluation mode, an example of its inputs, and the names of their free axes."""
    torch.manual_seed(SEED)
    image = {"pixel_values": torch.randn(2, 3, SIDE, SIDE)}
    free = {"pixel_values": {0: "batch", 2: "height", 3: "width"}}
    if source == "tv":
        options: dict[str, Any] = {"weights_backbone": None} if name.startswith("lraspp") else {}
        return import_module("torchvision").models.get_model(name, weights=None, **options), image, free
    if source == "timm":
        return import_module("timm").create_model(name, pretrained=False, exportable=True), image, free
    transformers = import_module("transformers")
    if name in PICTURE:
        config = getattr(transformers, f"{name}Config")(**PICTURE[name])
        kind = f"{name}ForSemanticSegmentation" if name == "Segformer" else f"{name}ForImageClassification"
        return getattr(transformers, kind)(config), image, free
    config = getattr(transformers, f"{name}Config")(**SMALL | TEXT[name])
    config._attn_implementation = "eager"
    ids = torch.randint(3, 90, (2, LENGTH))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    axes = {key: {0: "batch", 1: "sequence"} for key in inputs}
    return getattr(transformers, f"{name}Model")(config), inputs, axes


def wrapped(torch: Any, model: Any) -> Any:
    """The network as a module of positional inputs and one tensor."""

    class First(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.model = model

        def forward(self, first: Any, mask: Any = None) -> Any:
            out = self.model(first) if mask is None else self.model(input_ids=first, attention_mask=mask)
            if hasattr(out, "shape"):
                return out
            return out["out"] if "out" in out else out[0]

    return First()


def stir(torch: Any, model: Any) -> None:
    """Add noise to what the initialisation leaves at one number, so that a lost scale or shift shows."""
    with torch.no_grad():
        for values in (*model.parameters(), *model.buffers()):
            if values.is_floating_point() and values.numel() > 1 and values.min() == values.max():
                values.add_(0.1 * torch.randn_like(values))


def export(name: str, folder: Path) -> dict[str, Any]:
    """Export one network to FOLDER/NAME.onnx; what was written."""
    torch, _declared = import_module("torch"), declare()
    source, network, exporter = name.split("__")
    model, inputs, axes = build(torch, source, network)
    model = model.eval()
    stir(torch, model)
    module, path = wrapped(torch, model).eval(), folder / f"{name}.onnx"
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        if exporter == "dynamo":
            auto = torch.export.Dim.AUTO
            shapes = tuple(dict.fromkeys(axes[key], auto) for key in inputs)
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=["output"],
                dynamic_shapes=(*shapes, *[None] * (2 - len(shapes))) if len(shapes) == 2 else shapes,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            program.save(str(path), external_data=False)
        else:
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=["output"],
                dynamic_axes={**axes, "output": {0: "batch"}},
                opset_version=17,
                dynamo=False,
            )
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": path.stat().st_size,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Export what is named; 1 where one could not be."""
    return run(__doc__, names(), export, PACKAGES, arguments)


if __name__ == "__main__":
    sys.exit(main())
