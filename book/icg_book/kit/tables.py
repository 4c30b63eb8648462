"""What chapters show besides figures: tables of numbers and framed notes, as HTML."""

from collections.abc import Sequence


def table(
    head: Sequence[str],
    rows: Sequence[Sequence],
    caption: str = "",
    *,
    names: int = 1,
    align: str = "right",
    size: int = 88,
    padding: str = ".3em .5em",
    nowrap: bool = False,
    shades: Sequence[str] | None = None,
):
    """Rows of texts as a table that scrolls sideways where the page is narrower.

    Args:
        head: of the columns. rows: a text (or number) for each column. Texts are HTML, so ``html.escape`` what may hold
            anything.
        caption: HTML, above the table; it does not scroll with it.
        names: so many columns in front name the row; they are aligned to the left.
        align: of the other columns: "left", "center" or "right".
        size: of the letters, in % of the text's. padding: of the cells, as in CSS.
        nowrap: lines in the other columns are not broken.
        shades: a background for each row, as in CSS; "" for none.

    Returns:
        ``IPython.display.HTML``.

    Raises:
        ValueError: a row or ``shades`` of another length than expected.

    >>> made = table(["method", "share"], [["ICG", 0.25]], "One share.")
    >>> made.data.count("<tr"), "<th scope='row'" in made.data
    (2, True)
    """
    from IPython.display import HTML

    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"expected {len(head)} cells in every row, as in the head, got {len(row)}: {row}")
    if shades is not None and len(shades) != len(rows):
        raise ValueError(f"expected a shade for each of {len(rows)} rows, got {len(shades)}")

    def cell(tag: str, column: int, text) -> str:
        style = f"padding: {padding}; text-align: {'left' if column < names else align}"
        if column < names:
            style += "; font-weight: normal" if "row" in tag else ""
        elif nowrap:
            style += "; white-space: nowrap"
        return f"<{tag} style='{style}'>{text}</{tag.split()[0]}>"

    top = "".join(cell("th scope='col'", column, text) for column, text in enumerate(head))
    body = ""
    for row, shade in zip(rows, shades or [""] * len(rows), strict=True):
        cells = (cell("th scope='row'" if k < names else "td", k, text) for k, text in enumerate(row))
        body += f"<tr style='background: {shade}'>" if shade else "<tr>"
        body += "".join(cells) + "</tr>"
    # As the text around it: themes make captions of figures pale and thin.
    plain = "text-align: left; color: inherit; font-weight: inherit; font-size: inherit; opacity: 1"
    above = f"<figcaption style='{plain}; margin: 0 0 .4em; padding: 0'>{caption}</figcaption>" if caption else ""
    return HTML(
        f"<figure class='icg-table' style='font-size: {size}%; margin: 1em 0'>{above}"
        "<div style='overflow-x: auto' tabindex='0'>"  # which the arrow keys scroll, then
        "<table class='dataframe' style='border-collapse: collapse; margin: 0; font-size: inherit'>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div></figure>"
    )


def with_interval(found: dict | None, form: str = "{:.3f}", *, value: str = "mean") -> str:
    """A value above its interval, for a cell of a table; a dash where there is none.

    Args:
        found: has ``value``, ``low`` and ``high``. form: how numbers are written.

    >>> with_interval({"mean": -0.5, "low": -0.75, "high": 0.25}, "{:+.2f}")
    "<b>−0.50</b><br><small style='white-space: nowrap'>[−0.75, +0.25]</small>"
    >>> with_interval(None)
    '–'
    """
    if not found or found[value] is None:
        return "–"
    middle, low, high = (form.format(found[k]).replace("-", "−") for k in (value, "low", "high"))
    return f"<b>{middle}</b><br><small style='white-space: nowrap'>[{low}, {high}]</small>"


def framed(text: str):
    """A framed note; ``text`` is HTML. Returns ``IPython.display.HTML``."""
    from IPython.display import HTML

    style = "border: 1px solid; border-left-width: 6px; padding: .7em 1em; max-width: 44em"
    return HTML(f"<div role='note' style='{style}'>{text}</div>")
