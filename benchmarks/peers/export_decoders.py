"""Export decoders and encoder-decoders with key-value caches, in tiny configurations of transformers.

Run it with the environment that `make peers` builds:

    build/peers/exporters/bin/python -m benchmarks.peers.export_decoders -o FOLDER [NAME ...] [--list]

A name is ARCHITECTURE__EXPORTER, as in `llama__dynamo`; all by default. Each decoder takes token ids, a
mask, and the keys and values of what came before; it gives logits and the longer keys and values. Batch,
sequence and past are free sizes. Weights are drawn from a seed; nothing is fetched. Prints one JSON object a
file.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.exporting import run
from benchmarks.peers.torchvision_operators import declare

os.environ["HF_HUB_OFFLINE"] = "1"
SEED = 0
PACKAGES = ("torch", "transformers", "onnx", "onnxscript")
EXPORTERS = ("torchscript", "dynamo")

SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
"""What most of today's decoders call their sizes."""
PAIRED: dict[str, Any] = {
    "vocab_size": 96,
    "d_model": 48,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
}
"""What the family of BART calls its sizes."""


@dataclass(frozen=True)
class Decoder:
    """How a decoder is built: transformers' configuration and model, and the sizes; a pair has an encoder."""

    config: str
    model: str
    sizes: dict[str, Any] = field(default_factory=dict[str, Any])
    paired: bool = False
    exporters: tuple[str, ...] = EXPORTERS


def _alone(name: str, **sizes: Any) -> Decoder:
    return Decoder(f"{name}Config", f"{name}ForCausalLM", SMALL | sizes)


DECODERS: dict[str, Decoder] = {
    "gpt2": Decoder(
        "GPT2Config",
        "GPT2LMHeadModel",
        {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64},
    ),
    "llama": _alone("Llama"),
    "opt": Decoder(
        "OPTConfig",
        "OPTForCausalLM",
        SMALL | {"ffn_dim": 96, "word_embed_proj_dim": 64, "do_layer_norm_before": True},
    ),
    "mistral": _alone("Mistral", sliding_window=16),
    "t5": Decoder(
        "T5Config",
        "T5ForConditionalGeneration",
        {
            "vocab_size": 96,
            "d_model": 48,
            "d_kv": 12,
            "d_ff": 96,
            "num_layers": 2,
            "num_heads": 4,
            "pad_token_id": 0,
            "eos_token_id": 2,
            "decoder_start_token_id": 0,
        },
        paired=True,
    ),
    "bart": Decoder("BartConfig", "BartForConditionalGeneration", PAIRED, paired=True),
    "qwen2": _alone("Qwen2"),
    "phi": _alone("Phi", num_key_value_heads=4),
    "gemma": _alone("Gemma", head_dim=16),
    "gemma2": _alone("Gemma2", head_dim=16, query_pre_attn_scalar=16),
    "gemma3": Decoder(
        "Gemma3TextConfig", "Gemma3ForCausalLM", SMALL | {"head_dim": 16, "sliding_window": 24}
    ),
    "gpt_neox": Decoder("GPTNeoXConfig", "GPTNeoXForCausalLM", SMALL),
    "gptj": Decoder(
        "GPTJConfig",
        "GPTJForCausalLM",
        {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "rotary_dim": 8},
    ),
    "falcon": Decoder("FalconConfig", "FalconForCausalLM", SMALL | {"new_decoder_architecture": False}),
    "bloom": Decoder(
        "BloomConfig", "BloomForCausalLM", {"vocab_size": 96, "hidden_size": 64, "n_layer": 2, "n_head": 4}
    ),
    "starcoder2": _alone("Starcoder2"),
    "cohere": _alone("Cohere"),
    "gpt_oss": Decoder(
        "GptOssConfig",
        "GptOssForCausalLM",
        SMALL | {"head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 24},
    ),
    "gpt_bigcode": Decoder(
        "GPTBigCodeConfig",
        "GPTBigCodeForCausalLM",
        {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64},
    ),
    "whisper": Decoder(
        "WhisperConfig",
        "WhisperForConditionalGeneration",
        PAIRED | {"max_target_positions": 32, "max_source_positions": 40, "num_mel_bins": 16},
        paired=True,
    ),
    "marian": Decoder("MarianConfig", "MarianMTModel", PAIRED, paired=True),
    "mbart": Decoder("MBartConfig", "MBartForConditionalGeneration", PAIRED, paired=True),
    "pegasus": Decoder("PegasusConfig", "PegasusForConditionalGeneration", PAIRED, paired=True),
    "olmo2": _alone("Olmo2"),
    "stablelm": Decoder("StableLmConfig", "StableLmForCausalLM", SMALL),
    "gpt_neo": Decoder(
        "GPTNeoConfig",
        "GPTNeoForCausalLM",
        {
            "vocab_size": 96,
            "hidden_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 16,
            "max_position_embeddings": 64,
        },
    ),
    "granite": _alone("Granite"),
    "qwen3": _alone("Qwen3", head_dim=16),
}


def names() -> list[str]:
    """Every name that can be exported."""
    return [f"{name}__{exporter}" for name, decoder in DECODERS.items() for exporter in decoder.exporters]


def filled(transformers: Any, keys: Any, values: Any, window: int | None) -> Any:
    """A layer of a cache that holds these keys and values, of shape (batch, heads, past, head size)."""
    cache = import_module("transformers.cache_utils")
    layer = cache.DynamicLayer() if window is None else cache.DynamicSlidingWindowLayer(sliding_window=window)
    layer.keys, layer.values = keys, values
    layer.dtype, layer.device, layer.is_initialized = keys.dtype, keys.device, True
    if window is not None:
        layer.cumulative_length = keys.shape[-2]
    return layer


def caches(transformers: Any, model: Any, pairs: Sequence[tuple[Any, Any]]) -> Any:
    """The cache of a decoder alone, each layer with its own window where it has one."""
    whole = transformers.DynamicCache(config=model.config)
    windows = [getattr(layer, "sliding_window", None) for layer in whole.layers]
    for i, (keys, values) in enumerate(pairs):
        window = windows[i] if i < len(windows) else None
        layer = filled(transformers, keys, values, window)
        if i < len(whole.layers):
            whole.layers[i] = layer
        else:
            whole.layers.append(layer)
    return whole


def geometry(transformers: Any, torch: Any, model: Any, decoder: Decoder) -> list[tuple[int, int, int]]:
    """(heads, head size of keys, head size of values) of each layer's cache, seen in a run of the model."""
    ids = torch.ones(1, 3, dtype=torch.int64)
    with torch.no_grad():
        if decoder.paired:
            seen = model(
                decoder_input_ids=ids, encoder_outputs=(torch.randn(1, 4, width(model)),), use_cache=True
            )
            cache = seen.past_key_values.self_attention_cache
        else:
            cache = model(input_ids=ids, use_cache=True).past_key_values
    return [(layer.keys.shape[1], layer.keys.shape[3], layer.values.shape[3]) for layer in cache.layers]


def width(model: Any) -> int:
    """The size of what an encoder hands to its decoder."""
    return int(model.config.d_model)


@dataclass(frozen=True)
class Example:
    """What a decoder is traced on: the module, its inputs by name, and the names of their free axes."""

    module: Any
    inputs: dict[str, Any]
    axes: dict[str, dict[int, str]]
    outputs: tuple[str, ...]
    out_axes: dict[str, dict[int, str]]


def alone(transformers: Any, torch: Any, model: Any, decoder: Decoder) -> Example:
    """A decoder of its own: ids, mask and caches in; logits and caches out."""
    shapes = geometry(transformers, torch, model, decoder)

    class Wrapped(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, *flat: Any) -> Any:
            pairs = list(zip(flat[::2], flat[1::2], strict=True))
            out = self.model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                past_key_values=caches(transformers, model, pairs),
                use_cache=True,
            )
            return (
                out.logits,
                *(t for layer in out.past_key_values.layers for t in (layer.keys, layer.values)),
            )

    batch, sequence, past = 2, 3, 5
    inputs = {
        "input_ids": torch.randint(3, 90, (batch, sequence)),
        "attention_mask": torch.ones(batch, past + sequence, dtype=torch.int64),
    }
    axes = {
        "input_ids": {0: "batch_size", 1: "sequence_length"},
        "attention_mask": {0: "batch_size", 1: "past_sequence_length + sequence_length"},
    }
    outputs, out_axes = ["logits"], {"logits": {0: "batch_size", 1: "sequence_length"}}
    for i, (heads, *sizes) in enumerate(shapes):
        for kind, size in zip(("key", "value"), sizes, strict=True):
            name = f"past_key_values.{i}.{kind}"
            inputs[name] = torch.randn(batch, heads, past, size)
            axes[name] = {0: "batch_size", 2: "past_sequence_length"}
            outputs.append(f"present.{i}.{kind}")
            out_axes[outputs[-1]] = {0: "batch_size", 2: "past_sequence_length + sequence_length"}
    return Example(Wrapped(), inputs, axes, tuple(outputs), out_axes)


def paired(transformers: Any, torch: Any, model: Any, decoder: Decoder) -> Example:
    """The decoder of a pair, as it runs at each step: its own caches grow, those of the encoder are given."""
    shapes = geometry(transformers, torch, model, decoder)

    class Wrapped(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.model = model

        def forward(self, input_ids: Any, encoder_hidden_states: Any, *flat: Any) -> Any:
            own = transformers.DynamicCache()
            cross = transformers.DynamicCache()
            for i in range(0, len(flat), 4):
                own.layers.append(filled(transformers, flat[i], flat[i + 1], None))
                cross.layers.append(filled(transformers, flat[i + 2], flat[i + 3], None))
            cache = transformers.EncoderDecoderCache(own, cross)
            cache.is_updated = dict.fromkeys(range(len(flat) // 4), True)
            out = self.model(
                decoder_input_ids=input_ids,
                encoder_outputs=(encoder_hidden_states,),
                past_key_values=cache,
                use_cache=True,
            )
            return (out.logits, *(t for layer in own.layers for t in (layer.keys, layer.values)))

    batch, sequence, past, source = 2, 3, 5, 7
    inputs = {
        "input_ids": torch.randint(3, 90, (batch, sequence)),
        "encoder_hidden_states": torch.randn(batch, source, width(model)),
    }
    axes = {
        "input_ids": {0: "batch_size", 1: "sequence_length"},
        "encoder_hidden_states": {0: "batch_size", 1: "encoder_sequence_length"},
    }
    outputs, out_axes = ["logits"], {"logits": {0: "batch_size", 1: "sequence_length"}}
    for i, (heads, *sizes) in enumerate(shapes):
        for side, length, free in (
            ("decoder", past, "past_sequence_length"),
            ("encoder", source, "encoder_sequence_length"),
        ):
            for kind, size in zip(("key", "value"), sizes, strict=True):
                name = f"past_key_values.{i}.{side}.{kind}"
                inputs[name] = torch.randn(batch, heads, length, size)
                axes[name] = {0: "batch_size", 2: free}
        for kind in ("key", "value"):
            outputs.append(f"present.{i}.decoder.{kind}")
            out_axes[outputs[-1]] = {0: "batch_size", 2: "past_sequence_length + sequence_length"}
    return Example(Wrapped(), inputs, axes, tuple(outputs), out_axes)


def trace(torch: Any, example: Example, path: Path) -> None:
    """Write the module by the exporter that follows one run; sums of sizes stand in the names of the axes."""
    torch.onnx.export(
        example.module,
        tuple(example.inputs.values()),
        str(path),
        input_names=list(example.inputs),
        output_names=list(example.outputs),
        dynamic_axes=example.axes | example.out_axes,
        opset_version=17,
        do_constant_folding=True,
        dynamo=False,
    )


def capture(torch: Any, example: Example, path: Path) -> None:
    """Write the module by the exporter that captures the program; it finds the sums of sizes itself."""
    auto = torch.export.Dim.AUTO
    shapes = [dict.fromkeys(example.axes[name], auto) for name in example.inputs]
    program = torch.onnx.export(
        example.module,
        tuple(example.inputs.values()),
        input_names=list(example.inputs),
        output_names=list(example.outputs),
        dynamic_shapes=(shapes[0], shapes[1], tuple(shapes[2:])),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    program.save(str(path), external_data=False)


def stir(torch: Any, model: Any) -> None:
    """Add noise to what the initialisation leaves at one number, so that a lost scale or shift shows."""
    with torch.no_grad():
        for values in model.parameters():
            if values.is_floating_point() and values.numel() > 1 and values.min() == values.max():
                values.add_(0.1 * torch.randn_like(values))


def export(name: str, folder: Path) -> dict[str, Any]:
    """Export one decoder to FOLDER/NAME.onnx; what was written."""
    torch, _declared = import_module("torch"), declare()
    transformers = import_module("transformers")
    architecture, exporter = name.split("__")
    decoder = DECODERS[architecture]
    torch.manual_seed(SEED)
    config = getattr(transformers, decoder.config)(**decoder.sizes)
    config._attn_implementation, config._experts_implementation = "eager", "batched_mm"
    model = getattr(transformers, decoder.model)(config).eval()
    stir(torch, model)
    example = (paired if decoder.paired else alone)(transformers, torch, model, decoder)
    path = folder / f"{name}.onnx"
    write: Callable[[Any, Example, Path], None] = capture if exporter == "dynamo" else trace
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        write(torch, example, path)
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
