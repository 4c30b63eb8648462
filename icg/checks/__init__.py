"""Exercise checks that teach: each runs a reader's function on cases with known answers and names the likely mistake.

A check prints one line when the answer is right, and raises :class:`NotYet` with a hint when it is not. Answers may be
written in any way; only what they return counts. No check prints the answer. :func:`accept` lets a stuck reader go on.
One module for each chapter.
"""

from ._answer import NotYet, accept
from .attribution_transfer import (
    check_given_back,
    check_is_dummy,
    check_mean_output,
    check_misleading_input,
    check_unfair,
)
from .baselines import check_blind_pixels, check_double_sided, check_farthest_point, check_noisy_baselines
from .burnt_snacks import check_certainty_path, check_integrated_gradients, check_mass_share
from .certainty import check_absence, check_damage, check_exchange, check_faded, check_quantile
from .imagenette import check_gate, check_half_area, check_noisy_average, check_top_border
from .integrated_gradients import (
    check_averaged_ig,
    check_completeness_gap,
    check_ig_by_hand,
    check_steps_needed,
    check_trapezoid_rule,
)
from .local_minimum import (
    check_boundary,
    check_certainty_shap,
    check_charged_input,
    check_component_score,
    check_sign_agreement,
)
from .mnist import check_blindness, check_deletion, check_drift, check_rank_correlation
from .shapley import check_bshap_two, check_marginal, check_sampling, check_shapley, check_zero_credit

__all__ = [
    "NotYet",
    "accept",
    "check_absence",
    "check_averaged_ig",
    "check_blind_pixels",
    "check_blindness",
    "check_boundary",
    "check_bshap_two",
    "check_certainty_path",
    "check_certainty_shap",
    "check_charged_input",
    "check_completeness_gap",
    "check_component_score",
    "check_damage",
    "check_deletion",
    "check_double_sided",
    "check_drift",
    "check_exchange",
    "check_faded",
    "check_farthest_point",
    "check_gate",
    "check_given_back",
    "check_half_area",
    "check_ig_by_hand",
    "check_integrated_gradients",
    "check_is_dummy",
    "check_marginal",
    "check_mass_share",
    "check_mean_output",
    "check_misleading_input",
    "check_noisy_average",
    "check_noisy_baselines",
    "check_quantile",
    "check_rank_correlation",
    "check_sampling",
    "check_shapley",
    "check_sign_agreement",
    "check_steps_needed",
    "check_top_border",
    "check_trapezoid_rule",
    "check_unfair",
    "check_zero_credit",
]
