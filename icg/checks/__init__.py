"""Exercise checks that teach: each runs a reader's function on cases with known answers and names the likely mistake.

A check prints one line when the answer is right, and raises :class:`NotYet` with a hint when it is not. Answers may be
written in any way; only what they return counts. No check prints the answer. :func:`accept` lets a stuck reader go on.
One module for each chapter.
"""

from ._answer import NotYet, accept
from .burnt_snacks import check_certainty_path, check_integrated_gradients, check_mass_share

__all__ = [
    "NotYet",
    "accept",
    "check_certainty_path",
    "check_integrated_gradients",
    "check_mass_share",
]
