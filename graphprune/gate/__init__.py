"""The gate: whether a pruned model may ship, by budgets of accuracy, latency and size."""
