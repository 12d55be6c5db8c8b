"""Build decoders as onnxruntime-genai builds them, from tiny folders of configuration and weights made here.

    build/peers/exporters/bin/python -m benchmarks.peers.export_genai -o FOLDER [NAME ...]

Each build is one file FOLDER/genai__NAME.onnx (with its weights inside). Nothing is fetched: the weights are
drawn from a seed and the tokenizer knows as many words as the configuration says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.exporting import run
from benchmarks.peers.torchvision_operators import declare

os.environ["HF_HUB_OFFLINE"] = "1"
SEED = 0
BUILDER = """
import runpy
from benchmarks.peers.exporting import run
from benchmarks.peers.torchvision_operators import declare
declared = declare()
runpy.run_module("onnxruntime_genai.models.builder", run_name="__main__")
"""
WORDS = 96
PACKAGES = ("torch", "transformers", "onnxruntime-genai", "onnx-ir")


@dataclass(frozen=True)
class Build:
    """A decoder of transformers and how onnxruntime-genai is asked to store it."""

    config: str
    model: str
    precision: str
    sizes: dict[str, Any] = field(default_factory=dict[str, Any])


SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
BUILDS = {
    "llama_fp32": Build("LlamaConfig", "LlamaForCausalLM", "fp32", SIZES),
    "qwen2_fp32": Build("Qwen2Config", "Qwen2ForCausalLM", "fp32", SIZES),
    "qwen2_int4": Build("Qwen2Config", "Qwen2ForCausalLM", "int4", SIZES),
}


def checkpoint(build: Build, folder: Path) -> None:
    """Write configuration, weights and a tokenizer of words to `folder`, as a hub would hold them."""
    torch, _declared = import_module("torch"), declare()
    transformers = import_module("transformers")
    tokenizers = import_module("tokenizers")
    torch.manual_seed(SEED)
    model = getattr(transformers, build.model)(getattr(transformers, build.config)(**build.sizes)).eval()
    with torch.no_grad():
        for values in model.parameters():
            if values.numel() > 1 and values.min() == values.max():
                values.add_(0.1 * torch.randn_like(values))
    model.save_pretrained(folder)
    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def export(name: str, output: Path) -> dict[str, Any]:
    """Build one decoder; what was written."""
    onnx = import_module("onnx")
    build = BUILDS[name]
    with tempfile.TemporaryDirectory() as made:
        source, target, cache = (Path(made) / part for part in ("source", "target", "cache"))
        checkpoint(build, source)
        words = ["-i", source, "-o", target, "-c", cache, "-p", build.precision, "-e", "cpu"]
        command = [sys.executable, "-c", BUILDER, *map(str, words)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(ran.stderr.strip().splitlines()[-1])
        path = output / f"genai__{name}.onnx"
        onnx.save(onnx.load(target / "model.onnx"), path)
    return {"name": path.stem, "bytes": path.stat().st_size}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is named; 1 where one could not be."""
    return run(__doc__, tuple(BUILDS), export, PACKAGES, arguments)


if __name__ == "__main__":
    sys.exit(main())
