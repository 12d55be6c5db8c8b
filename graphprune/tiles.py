"""The numbers of channels that devices work on at a time."""

from __future__ import annotations

MULTIPLES = {1: 32, 2: 8, 4: 8}
"""Channels that kernels work on at a time, by the bytes of a weight: NVIDIA, *Deep Learning Performance
Guide: Matrix Multiplication Background*, table of tensor core requirements, and TensorRT's vectorised layouts
(HWC8 of halves, CHW32 of bytes); ONNX Runtime's blocked layout (NCHWc) of floats. Other numbers are padded or
take slower kernels."""
FULL = {**MULTIPLES, 4: 16}
"""The same where a tile is full on every device: ONNX Runtime's blocks of floats are 16 wide with AVX-512,
and 8 with AVX2."""
QUANTISED = 16
"""The same for a model that ONNX Runtime quantises: on a processor with AVX-512 VNNI the times of its int8
convolutions rise in steps of 16 channels, and odd multiples of 16 are no worse than multiples of 32
(`benchmarks/int8_widths.py`). TensorRT's int8 layout has 32."""
FINE = 8
"""Numbers of channels that are worth timing apart."""
