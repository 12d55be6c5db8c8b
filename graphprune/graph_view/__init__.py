"""Groups across the graph: data for Model Explorer, and for the report's picture of them."""
