"""The proof: twin and cut side by side, stage by stage, and what of it was seen to be exercised."""
