"""Tables and notes of the chapters, read as a browser reads them."""

from html.parser import HTMLParser

import pytest

from icg_book.kit.tables import framed, table, with_interval


class Parts(HTMLParser):
    """Rows of a table: (tag, attributes, text) for each cell; the caption; tags that are still open."""

    def __init__(self, made):
        super().__init__()
        self.rows, self.attributes, self.caption, self.open = [], [], "", []
        self.feed(made.data)

    def handle_starttag(self, tag, attributes):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.attributes.append(dict(attributes))
        elif tag in ("th", "td"):
            self.rows[-1].append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "figcaption" in self.open:
            self.caption += text
        elif {"th", "td"} & set(self.open):
            self.rows[-1][-1][2] += text


def test_head_rows_and_caption():
    parts = Parts(table(["", "a", "b"], [["x", 1, "<b>2</b>"], ["y", "–", 4]], "What it <i>is</i>."))
    assert parts.caption == "What it is." and parts.open == []
    assert [[text for _, _, text in row] for row in parts.rows] == [["", "a", "b"], ["x", "1", "2"], ["y", "–", "4"]]
    assert all(tag == "th" and attributes["scope"] == "col" for tag, attributes, _ in parts.rows[0])
    assert [(tag, attributes.get("scope")) for tag, attributes, _ in parts.rows[1]] == [
        ("th", "row"),
        ("td", None),
        ("td", None),
    ]


def test_names_stand_left_and_the_rest_as_asked_for():
    parts = Parts(table(["", "", "a"], [["x", "y", 1]], names=2, align="center", nowrap=True))
    for row in parts.rows:
        styles = [attributes["style"] for _, attributes, _ in row]
        assert ["text-align: left" in style for style in styles] == [True, True, False]
        assert "text-align: center" in styles[2]
        assert ["nowrap" in style for style in styles] == [False, False, True]
    assert [tag for tag, _, _ in parts.rows[1]] == ["th", "th", "td"]
    assert parts.caption == "" and "figcaption" not in table(["a"], []).data


def test_shades_are_of_their_rows():
    parts = Parts(table(["a"], [["x"], ["y"]], shades=["", "#eee"]))
    assert [attributes.get("style") for attributes in parts.attributes] == [None, None, "background: #eee"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows": [["x", 1], ["y"]]}, "expected 2 cells in every row, as in the head, got 1"),
        ({"rows": [["x", 1, 2]]}, "got 3"),
        ({"rows": [["x", 1]], "shades": ["", ""]}, "a shade for each of 1 rows, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        table(["a", "b"], **options)


def test_a_value_with_its_interval():
    cell = with_interval({"all": 0.5, "low": 0.25, "high": 1.0}, "{:.0%}", value="all")
    assert cell.startswith("<b>50%</b>") and "[25%, 100%]" in cell
    assert with_interval({}) == with_interval(None) == "–"
    assert with_interval({"mean": None, "low": None, "high": None}) == "–"
    assert "-" not in with_interval({"mean": -1.0, "low": -2.0, "high": -0.5}).split("<small")[0]


def test_a_framed_note_is_one_to_a_screen_reader_too():
    made = framed("<b>Mind</b> this.").data
    assert made.startswith("<div role='note'") and "<b>Mind</b> this." in made
