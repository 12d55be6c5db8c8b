"""The charts of a report, as Plotly has them."""
