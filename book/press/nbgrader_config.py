"""How nbgrader makes and grades the assignments; `make assignments` copies this into the course's folder.

There `nbgrader autograde`, `nbgrader formgrader` and the others do what `make grade` does.
"""

import os

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbformat.v4 import new_output
from nbgrader import preprocessors as steps
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from icg_book.kit.grading import RIGHT

c = get_config()  # noqa: F821 - nbgrader gives it


class DemandProof(NbGraderPreprocessor):
    """A test that did not run to its end fails. nbgrader takes silence for success, and a kernel can be silenced."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and is_grade(cell):
            said = "".join(output.get("text", "") for output in cell.outputs)
            if RIGHT not in said.splitlines():
                why = "Not yet: the test did not run to its end."
                cell.outputs.append(new_output("error", ename="NotYet", evalue=why, traceback=[why]))
        return cell, resources


class ShortErrors(NbGraderPreprocessor):
    """Students see the last line of a failed test's error: the traceback would show the hidden test around it."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and is_grade(cell):
            errors = [output for output in cell.outputs if output.output_type == "error"]
            cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            for error in errors[:1]:  # the second one only says that the test did not end
                name = "Not yet" if error.ename == "NotYet" else error.ename
                error.traceback = [f"{name}: {error.evalue.removeprefix('Not yet: ')}".removesuffix(": ")]
                cell.outputs.append(error)
        return cell, resources


c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "icg"
c.ClearSolutions.code_stub = {"python": "# Write as many lines as you like."}
c.Execute.timeout = 120  # seconds for each cell
c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]
c.IgnorePattern.enabled = True  # a warning is no error, but nbgrader takes all of stderr for one
c.IgnorePattern.pattern = ".*"
c.Autograde.autograde_preprocessors = [
    steps.Execute,
    steps.IgnorePattern,
    DemandProof,
    ClearMetadataPreprocessor,
    steps.LimitOutput,
    steps.SaveAutoGrades,
    steps.AssignLatePenalties,
    steps.CheckCellMetadata,
]
# Hidden tests stay hidden in what students get back.
c.GenerateFeedback.preprocessors = [
    steps.GetGrades,
    steps.ClearHiddenTests,
    ShortErrors,
    CSSHTMLHeaderPreprocessor,
]
