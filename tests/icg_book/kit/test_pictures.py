"""Pictures of every kind as the input of a network."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from icg_book.kit.pictures import SIDE, keep_squares, kept_squares, open_picture, prepare, resize, square

COLOURS = (3, 32, 32)


def photo(width=90, height=70, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def values_of(path, shape=COLOURS):
    return prepare(open_picture(path), shape).values


def halves(mode):
    """Dark left, light right, so that a value that is lost or cut off is seen."""
    levels = np.full((40, 40), 64, np.uint8)
    levels[:, 20:] = 192
    return Image.fromarray(levels).convert(mode)


def wide(dtype, scale):
    return Image.fromarray((np.asarray(halves("L")).astype(np.float64) * scale).astype(dtype))


def paletted():
    return halves("RGB").quantize(4)


PICTURES = {
    "rgb.jpg": lambda: halves("RGB"),
    "grey.jpg": lambda: halves("L"),
    "cmyk.jpg": lambda: halves("RGB").convert("CMYK"),
    "cmyk.tif": lambda: halves("RGB").convert("CMYK"),
    "rgb.png": lambda: halves("RGB"),
    "grey.png": lambda: halves("L"),
    "alpha.png": lambda: halves("RGBA"),
    "grey-alpha.png": lambda: halves("LA"),
    "palette.png": paletted,
    "palette.gif": paletted,
    "16 bits.png": lambda: wide(np.uint16, 257),
    "16 bits.tif": lambda: wide(np.uint16, 257),
    "32 bits.tif": lambda: wide(np.int32, 257),
    "float.tif": lambda: wide(np.float32, 1 / 255),
    "float, 255.tif": lambda: wide(np.float32, 1),
    "rgb.bmp": lambda: halves("RGB"),
    "rgb.webp": lambda: halves("RGB"),
    "rgb.ppm": lambda: halves("RGB"),
    "rgb.tga": lambda: halves("RGB"),
    "rgb.ico": lambda: halves("RGB"),
    "no suffix": lambda: halves("RGB"),
    "ein Bild, schön.PNG": lambda: halves("RGB"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_has_the_same_values(tmp_path, name, channels):
    options = {"sizes": [(40, 40)]} if name.endswith("ico") else {"lossless": True} if "webp" in name else {}
    PICTURES[name]().save(tmp_path / name, "PNG" if name == "no suffix" else None, **options)
    values = values_of(tmp_path / name, (channels, 32, 32))
    assert values.shape == (1, channels, 32, 32) and values.dtype == torch.float32
    tolerance = 0.03 if name.startswith("cmyk.jpg") else 0.02
    left, right = values[..., :10], values[..., -10:]
    assert (left - 64 / 255).abs().max() < tolerance and (right - 192 / 255).abs().max() < tolerance


def test_black_and_white_of_one_bit(tmp_path):
    halves("L").point(lambda level: 255 * (level > 100)).convert("1").save(tmp_path / "one.png")
    values = values_of(tmp_path / "one.png")
    assert values[..., :10].max() < 1e-6 and values[..., -10:].min() > 1 - 1e-6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path, mode):
    if mode == "P":
        picture = halves("RGB").quantize(2)
        index = picture.getpixel((0, 0))
        picture.save(tmp_path / "clear.png", transparency=index)
    else:
        picture = halves("RGBA")
        picture.putalpha(Image.fromarray(np.repeat([[0, 255]], 20, 1).astype(np.uint8).repeat(40, 0)))
        picture.convert(mode).save(tmp_path / "clear.png")
    values = values_of(tmp_path / "clear.png")
    assert values[..., :10].min() > 0.98 and (values[..., -10:] - 192 / 255).abs().max() < 0.02


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_its_exif_data_say(tmp_path, orientation):
    upright = photo(90, 70)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Image.Transpose; the inverse of what is to be done
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    assert ImageOps.exif_transpose(Image.open(tmp_path / "turned.png")).size == upright.size
    turned = prepare(open_picture(tmp_path / "turned.png"), COLOURS)
    assert torch.equal(turned.values, values_of(tmp_path / "upright.png"))
    assert turned.notes == ["the middle 70 x 70 pixels of 90 x 70"] and turned.shown.shape == (70, 70, 3)


@pytest.mark.parametrize("size", [(160, 213), (241, 160), (160, 160), (1200, 900)])
def test_a_photograph_becomes_what_the_network_was_evaluated_on(tmp_path, size):
    photo(*size).save(tmp_path / "photo.JPEG")
    stored = square(tmp_path / "photo.JPEG", SIDE)
    expected = resize(torch.tensor(stored)[None], 128)
    assert torch.equal(values_of(tmp_path / "photo.JPEG", (3, 128, 128)), expected)
    picture = Image.open(tmp_path / "photo.JPEG")
    if min(size) == SIDE:  # as all of Imagenette are: its own pixels, none computed
        left, top = ((length - SIDE) // 2 for length in size)
        assert np.array_equal(stored, np.asarray(picture.crop((left, top, left + SIDE, top + SIDE))))


def test_squares_are_kept_as_they_come_and_found_whole_or_not_at_all(tmp_path):
    squares, file = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8), tmp_path / "new" / "s.npy"
    assert kept_squares(file, squares.shape) is None

    def stopped():
        yield squares[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_squares(file, squares.shape, stopped())
    assert list(file.parent.iterdir()) == []  # nothing of what stopped half-way
    keep_squares(file, squares.shape, iter(squares))
    found = kept_squares(file, squares.shape)
    assert np.array_equal(found.numpy(), squares) and np.array_equal(np.load(file), squares)
    found.zero_()  # in memory alone
    assert np.array_equal(kept_squares(file, squares.shape).numpy(), squares)
    assert kept_squares(file, (2, 4, 4, 3)) is None
    np.save(file, squares.astype(np.float32))
    assert kept_squares(file, squares.shape) is None


def test_long_pictures_show_their_middle(tmp_path):
    picture = Image.new("L", (4000, 16), 0)
    picture.paste(255, (1992, 0, 2008, 16))
    picture.save(tmp_path / "long.png")
    found = prepare(open_picture(tmp_path / "long.png"), (1, 50, 50))
    assert found.values[..., 4:-4].min() == 1 and found.values.min() > 0.5 and found.shown.shape == (16, 16)
    found = prepare((photo(3000, 2000), []), COLOURS)
    assert found.shown.shape == (480, 480, 3)


def test_whatever_is_in_a_file_it_is_a_picture_or_one_line(tmp_path):
    rng = np.random.default_rng(0)
    found = {True: 0, False: 0}
    for suffix in ("jpg", "png", "gif", "webp", "bmp", "ppm", "tga"):
        path = tmp_path / f"x.{suffix}"
        photo(40, 30).save(path)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(30):
            damaged = whole.copy()
            where = rng.integers(len(damaged), size=rng.integers(1, 9))
            damaged[where] = rng.integers(0, 256, len(where))
            path.write_bytes(damaged[: rng.integers(1, len(damaged)) if rng.random() < 0.3 else None].tobytes())
            try:
                values = values_of(path)
                assert values.shape == (1, *COLOURS) and values.min() >= 0 and values.max() <= 1
                found[True] += 1
            except ValueError as error:
                assert str(path) in str(error)
                found[False] += 1
    assert min(found.values()) > 20


def test_images_are_resized_without_picking():
    stripes = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    small = resize(stripes, 64)
    assert small.shape == (1, 3, 64, 64) and (small[..., 4:-4] - 0.5).abs().max() < 0.15
    whole = torch.randint(256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    same = resize(whole, SIDE)
    assert torch.equal((same * 255).round().byte().permute(0, 2, 3, 1), whole)
