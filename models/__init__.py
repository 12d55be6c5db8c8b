"""Models to try graphprune on: pretrained ones by manifest, and a small one that is built on the spot."""
