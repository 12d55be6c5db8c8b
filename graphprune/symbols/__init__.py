"""What sizes and small values are in terms of the symbols that a model leaves open."""
