"""The scenarios of the paper, one module each: its data, its ground truth and its training recipe."""
