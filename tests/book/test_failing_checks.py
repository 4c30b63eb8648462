"""What a reader sees of a failed check, in kernels of IPython 7, 8 and 9: one to three lines, the same everywhere."""

import os
from pathlib import Path

import nbformat
import pytest
from environments import environment, kernels
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {"oldest": "7.", "ipython8": "8.", "newest": "9."}

# A mistake that has a hint; one that has none; an error in the reader's own code; nothing yet.
CELLS = {
    """\
from icg_book.shapley import checks

def my_marginal(v, ordering, player):
    return v({player})

checks.check_marginal(my_marginal)
""": "Not yet: This is what the player achieves alone. Who has come before it?",
    """\
from icg_book.integrated_gradients import checks

def my_completeness_gap(f, x, baseline, attributions):
    return 1.5 + 0 * attributions.sum(1)

checks.check_completeness_gap(my_completeness_gap)
""": "Not yet: {}\nFor f = {} it returned [1.5{}].",
    """\
from icg_book.burnt_snacks import checks

def inside(attribution, mask):
    return attribution[mask > 2, 0]

def my_share(attribution, mask):
    return inside(attribution, mask).sum() / mask.missing

checks.check_mass_share(my_share)
""": "Not yet: Your function stopped with {}: {}\n  my_share, line 7: {}\n  inside, line 4: {}",
    """\
from icg_book.imagenette import checks

def my_gate(largest):
    return ...  # your answer

checks.check_gate(my_gate)
""": "Not yet: Nothing here yet: replace the dots by your answer.",
}


def said(python: Path) -> list[str]:
    """The version of IPython, and what each cell shows instead of an answer."""
    sources = ["import IPython\nprint(IPython.__version__)", *CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, kernel_manager_class=kernels(python), allow_errors=True, timeout=120)
    client.execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "book")))})
    shown = []
    for cell in notebook.cells:
        (output,) = cell.outputs
        shown.append(output.text.strip() if "text" in output else "\n".join(output.traceback))
    return shown


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", VERSIONS)
def test_a_failed_check_shows_its_sentence_and_nothing_else(name):
    version, *shown = said(environment(name))
    assert version.startswith(VERSIONS[name])
    for found, expected in zip(shown, CELLS.values(), strict=True):
        assert len(found.split("\n")) == len(expected.split("\n")) <= 3, found
        rest = found
        for part in filter(None, expected.split("{}")):
            _, there, rest = rest.partition(part)
            assert there, found
        assert "Traceback" not in found and "\x1b" not in found
