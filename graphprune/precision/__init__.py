"""Precision in the file: models in fp16 and bf16, and models quantised to int8."""
