"""Configuration files: TOML, YAML or JSON with one schema, and the line on which each value stands."""
