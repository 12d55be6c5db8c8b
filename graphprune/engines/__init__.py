"""Engines: models built for a GPU by TensorRT and TensorRT-RTX, kept in a cache."""
