"""N:M and unstructured sparsity: which weights may have it, which entries stay, and what they become."""
