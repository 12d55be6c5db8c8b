"""Latency as a target: what widths cost on a device, and plans that meet a measured budget."""
