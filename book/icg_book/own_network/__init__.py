"""Your own network: a folder of pictures becomes a certainty-aware classifier, and that its maps."""
