"""Interactive pictures that run in the built page, in Jupyter and in Colab, without a kernel.

One module each, imported when it is used: ``scrub``, ``coalitions``, ``steps``, ``pick_baseline``, ``landscape``,
``damage``, ``six_sliders``, ``draw_digit``, ``drawing_pad``, ``photo_scrub``.
"""

from icg.explorables.html import Explorable, write_page
from icg.explorables.scrub import scrub_path

__all__ = ["Explorable", "scrub_path", "write_page"]
