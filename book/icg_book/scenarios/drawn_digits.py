"""Digits drawn for this book, and drawings of the reader's own, in MNIST's look.

MNIST is not part of the book. These digits are: a few strokes of a pen each, drawn by hand and free to use. They stand
in where the dataset is missing, and they are what the drawing page and the lab start from.

A *drawing* is a list of strokes, a stroke a list of points ``(x, y)`` in a square of 28 x 28: x to the right, y down.
:func:`rasterise` does to it what MNIST's makers did to their scans: the ink is scaled to a box of 20 x 20 pixels and
moved so that its centre of mass is the middle. The page that draws computes the same.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from icg_book.scenarios.mnist import SIZE, Digits

# MNIST's 1s are 20 pixels high and hold 60 pixels' worth of ink in 86 pixels: strokes 3 pixels wide, with an edge of
# about 1.4 pixels from full ink to none.
RADIUS = 1.45  # of the pen, up to half brightness
EDGE = 1.4  # from full brightness to none
BOX = 20.0  # the ink's longer side after scaling
LARGEST = 4.0  # enlargement at most, or a dot would fill the picture
CENTRE = 14.5  # of mass, in MNIST: the middle of the pixel right of and below the centre
UNIT = 1 / 128  # of a coordinate in a code
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Stroke = Sequence[tuple[float, float]]

# Digit, and its strokes by a few points "x y" each, through which a smooth line is laid; a point twice is a corner.
_DRAWN = (
    (0, "15.5 5, 11 6.5, 8 11, 7.6 16.5, 10 21.5, 14 23, 18 20.5, 20.6 15, 20.4 9.5, 18 5.8, 15 5"),
    (1, "16.6 4.5, 15.4 10, 14.2 16, 13 23.5"),
    (2, "8.5 9.5, 10 6.4, 14 4.8, 18 6.4, 18.8 10, 16 14.5, 12 18.5, 8 22.4, 8 22.4, 13 22, 20.5 22.6"),
    (3, "8.6 6.8, 13 4.8, 17.6 6.4, 17.4 10.2, 12.4 13, 12.4 13, 17.4 14.2, 19 18, 16 22, 11.4 23, 7.8 20.8"),
    (4, "10.4 4.6, 9.2 9, 7.6 14.4, 7.6 14.4, 13 14.6, 20.6 13.8 / 17.6 6.4, 16.8 12, 15.8 18, 15.4 23.6"),
    (
        5,
        "10.4 5.4, 9.8 9, 9 12.4, 9 12.4, 13 11.4, 17.4 12.8, 18.8 16.8, 16.6 21.2, 12 23, 7.8 21.4 / "
        "10.4 5.4, 15 5.4, 20 4.8",
    ),
    (6, "17 4.6, 12.6 8, 9.4 13.4, 8.6 18.6, 10.8 22.6, 15 22.8, 18 19.8, 17.4 15.8, 13.8 14.4, 9.4 17.6"),
    (7, "7.6 6.6, 13 6.2, 20 5.6, 20 5.6, 17 11, 14.2 17, 12.4 23.4"),
    (
        8,
        "18.8 7.2, 15 4.8, 10.8 6, 10.2 9.4, 14 12.8, 18 16.6, 17.8 21, 14 23.2, 10 21.6, 10 17.4, 14.4 13, "
        "18.6 9.6, 18.8 7.2",
    ),
    (9, "18.6 8.4, 15.4 5.2, 11 6.2, 9 9.8, 10.6 13, 14.6 12.6, 18.6 8.4, 18.6 8.4, 18 14, 16.8 19, 15.6 23.6"),
    (1, "10.4 9, 12.4 7, 14.4 4.6, 14.4 4.6, 14.4 12, 14.2 23.2"),
    (2, "8.4 8.4, 11 5.4, 15.4 5, 18.4 8, 17 13, 13 18.6, 9.6 22, 7.4 21.4, 8.4 19.2, 12 20, 16 22.2, 20.6 21.4"),
    (4, "16.8 4.6, 12.6 10, 7.6 16.6, 7.6 16.6, 14 16.8, 20.8 16.4 / 16.8 4.6, 16.6 12, 16.4 23.4"),
    (7, "7.4 6.2, 13 5.6, 20 5.4, 20 5.4, 17.6 11, 14.8 17, 12.6 23.4 / 10.6 14.6, 15 14.2, 19.6 13.6"),
    (
        9,
        "18.4 7.4, 14.8 5, 10.6 6.8, 9.6 10.6, 12.4 13.4, 16.4 12, 18.4 7.4, 18.4 7.4, 18.6 13, 18 18.8, "
        "14.8 22.8, 9.6 22.2",
    ),
)


def strokes() -> list[list[list[tuple[float, float]]]]:
    """The book's drawings, in the order of :func:`load`: the ten digits, then second ways to write some of them.

    >>> [len(drawing) for drawing in strokes()[:6]]
    [1, 1, 1, 1, 2, 2]
    """
    return [[_smooth(points) for points in drawing.split("/")] for _, drawing in _DRAWN]


def load() -> Digits:
    """The book's drawings as MNIST would have them; the first ten are the digits 0 to 9.

    >>> load().labels.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 4, 7, 9]
    """
    labels = torch.tensor([label for label, _ in _DRAWN])
    return Digits(torch.stack([rasterise(drawing) for drawing in strokes()]), labels)


def rasterise(strokes: Sequence[Stroke]) -> Tensor:
    """A drawing as a picture ``(1, 28, 28)``, float32 in [0, 1], ink bright: what MNIST would have made of it.

    The ink is scaled so that its longer side is 20 pixels (but at most enlarged four times), and moved so that its
    centre of mass is where MNIST has it. The pen has the width of MNIST's strokes however large the drawing is, and a
    soft edge. No strokes give an empty picture; a stroke of one point is a dot. What is moved out of the picture (of
    very lopsided drawings) is lost.

    Args:
        strokes: lists of points ``(x, y)``, x to the right, y down, of any size.

    Raises:
        ValueError: something else than that, or a coordinate that is not finite.

    >>> rasterise([[(3, 3), (3, 9)]]).shape
    torch.Size([1, 28, 28])
    """
    lines = _checked(strokes)
    if not lines:
        return torch.zeros(1, SIZE, SIZE)
    points = torch.cat(lines)
    low, high = points.amin(0), points.amax(0)
    scale = min(LARGEST, (BOX - 2 * RADIUS - EDGE) / max((high - low).max().item(), 1e-9))
    start, end = (
        torch.cat([(line[part] - (low + high) / 2) * scale + CENTRE for line in lines])
        for part in (slice(None, -1), slice(1, None))
    )
    picture = _ink(start, end)
    at = torch.arange(SIZE).double() + 0.5
    mass = torch.stack([(picture.sum(0) * at).sum(), (picture.sum(1) * at).sum()]) / picture.sum()
    return _ink(start + CENTRE - mass, end + CENTRE - mass)[None].float()


def to_code(strokes: Sequence[Stroke]) -> str:
    """A drawing as a short text: four letters for a point, a full stop between strokes.

    Coordinates are rounded to 1/128.

    Args:
        strokes: lists of points ``(x, y)`` in [0, 28].

    Raises:
        ValueError: not a drawing, or points outside of the square.

    >>> to_code([[(0, 0), (28, 14)], [(1, 1)]])
    'AAAA4AcA.CACA'
    """
    lines = [line[:-1] if len(line) == 2 and (line[0] == line[1]).all() else line for line in _checked(strokes)]
    for line in lines:
        if line.min() < 0 or line.max() > SIZE:
            raise ValueError(
                f"expected points in the square from 0 to {SIZE}, got {line.min().item():g} to {line.max().item():g}"
            )
    letters = lambda number: LETTERS[number // 64] + LETTERS[number % 64]  # noqa: E731
    return ".".join("".join(map(letters, (line / UNIT).round().long().flatten().tolist())) for line in lines)


def from_code(text: str) -> Tensor:
    """The picture ``(1, 28, 28)`` of a drawing that was copied as text on the drawing page, or by :func:`to_code`.

    >>> from_code(to_code([[(3, 3), (3, 9)]])).shape
    torch.Size([1, 28, 28])
    """
    return rasterise(strokes_from_code(text))


def strokes_from_code(text: str) -> list[list[tuple[float, float]]]:
    """The strokes behind a code; :func:`to_code` backwards. Spaces and line breaks do not matter.

    Raises:
        ValueError: the text is no code, or is cut short.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected the code of a drawing as text, got {type(text).__name__}")
    text = "".join(text.split()).strip("\"'")
    drawing = []
    for part in text.split(".") if text else []:
        strange = sorted(set(part) - set(LETTERS))
        if strange or not part or len(part) % 4:
            why = f"the letter {strange[0]!r}" if strange else f"{len(part)} letters in a stroke"
            raise ValueError(f"expected the code of a drawing, four letters for each point and full stops, got {why}")
        numbers = [LETTERS.index(a) * 64 + LETTERS.index(b) for a, b in zip(part[::2], part[1::2], strict=True)]
        if max(numbers) > SIZE / UNIT:
            raise ValueError(f"expected the code of a drawing, got a point outside of its {SIZE} x {SIZE} square")
        drawing.append([(x * UNIT, y * UNIT) for x, y in zip(numbers[::2], numbers[1::2], strict=True)])
    return drawing


def _checked(strokes) -> list[Tensor]:
    """Strokes as ``(K, 2)`` float64, K >= 2: a dot is a line of no length."""
    try:
        lines = [torch.tensor([[float(x), float(y)] for x, y in stroke], dtype=torch.float64) for stroke in strokes]
    except (TypeError, ValueError):
        raise ValueError(f"expected strokes as lists of points (x, y), got {str(strokes)[:60]!r}") from None
    lines = [line.repeat(2, 1) if len(line) == 1 else line for line in lines if len(line)]
    if not all(bool(line.isfinite().all()) for line in lines):
        raise ValueError("expected points with finite coordinates, got NaN or infinity")
    return lines


def _ink(start: Tensor, end: Tensor) -> Tensor:
    """Brightness ``(28, 28)`` by the distance of a pixel's centre to the nearest of the lines ``(S, 2)``."""
    at = torch.arange(SIZE).double() + 0.5
    y, x = torch.meshgrid(at, at, indexing="ij")
    pixels = torch.stack([x, y], -1).view(-1, 1, 2)
    along = end - start
    length = (along**2).sum(1)
    share = ((pixels - start) * along).sum(2) / length.clamp(min=1e-12)
    nearest = start + share.clamp(0, 1)[..., None] * along
    distance = ((pixels - nearest) ** 2).sum(2).amin(1).sqrt()
    return ((RADIUS - distance) / EDGE + 0.5).clamp(0, 1).view(SIZE, SIZE)


def _smooth(points: str, pieces: int = 6) -> list[tuple[float, float]]:
    """A Catmull-Rom line through the points "x y, x y", in whole units of a code; a point given twice is a corner."""
    p = torch.tensor([[float(number) for number in point.split()] for point in points.split(",")], dtype=torch.float64)
    corners = [0, *(k for k in range(1, len(p)) if torch.equal(p[k - 1], p[k])), len(p)]
    line = []
    for a, b in zip(corners[:-1], corners[1:], strict=True):
        part = p[a:b]
        ends = torch.cat([2 * part[:1] - part[1:2], part, 2 * part[-1:] - part[-2:-1]])
        t = torch.arange(pieces, dtype=torch.float64)[:, None] / pieces
        for k in range(1, len(part)):
            before, here, there, after = ends[k - 1], ends[k], ends[k + 1], ends[k + 2]
            slope, bend = (there - before) / 2, 2 * before - 5 * here + 4 * there - after
            cubic = 3 * here - before - 3 * there + after
            line.append(here + slope * t + bend / 2 * t**2 + cubic / 2 * t**3)
        line.append(part[-1:])
    whole = ((torch.cat(line) / UNIT).round() * UNIT).tolist()
    return [(x, y) for k, (x, y) in enumerate(whole) if k == 0 or [x, y] != whole[k - 1]]
