"""Measured latency: models timed in pairs, and what is said of the differences."""
