"""Measurements of graphprune, alone and beside its peers. Run them from the repository's root."""

import graphprune

assert graphprune.telemetry_off, "graphprune is to be imported before ONNX Runtime"
