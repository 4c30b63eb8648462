"""Experiments, one module each: what ``python -m icg reproduce NAME`` runs. Each writes ``data/results/NAME.json``."""
