"""Pictures of somebody's own: what is taken, how it is prepared, and what is refused in one sentence."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vae_core.data.uploads import MOST_PIXELS, read_photograph, read_picture
from vae_core.errors import InvalidInput


def encoded(pixels: np.ndarray, kind: str = "png", mode: str | None = None, **settings: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, kind, **settings)
    return file.getvalue()


def stroke(height: int = 40, width: int = 60, ink: int = 255, paper: int = 0) -> np.ndarray:
    """An upright bar, off the middle."""
    pixels = np.full((height, width), paper, np.uint8)
    pixels[8:32, 10:16] = ink
    return pixels


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "tiff", "gif"])
@pytest.mark.parametrize("box", [20, None])
def test_a_picture_becomes_one_as_the_model_knows_them(kind: str, box: int | None) -> None:
    picture, notes = read_picture(encoded(stroke(), kind), 28, box)
    assert picture.shape == (1, 28, 28) and picture.dtype == torch.float32
    assert picture.min() >= 0 and picture.max() > 0.8 and picture.max() <= 1
    assert notes == ()
    assert picture[0, :, 0].max() < 0.2, "the ground is black"


def test_with_a_box_the_ink_fills_it_and_stands_in_the_middle() -> None:
    picture = read_picture(encoded(stroke()), 28, 20).picture[0]
    rows = (picture > 0.3).any(1).nonzero().flatten()
    assert len(rows) == 20
    centre = (picture.sum(0) * (torch.arange(28) + 0.5)).sum() / picture.sum()
    assert abs(centre.item() - 14) <= 0.5


def test_dark_ink_on_light_paper_is_inverted_and_said() -> None:
    light = read_picture(encoded(stroke(ink=20, paper=240)), 28, 20)
    dark = read_picture(encoded(stroke(ink=235, paper=15)), 28, 20)
    torch.testing.assert_close(light.picture, dark.picture, rtol=0, atol=0.02)
    assert "inverted" in light.notes[0] and dark.notes == ()


def test_colour_palette_and_alpha() -> None:
    grey = read_picture(encoded(stroke()), 28, 20).picture
    for mode in ("RGB", "P", "1", "CMYK"):
        kind = "tiff" if mode == "CMYK" else "png"
        torch.testing.assert_close(read_picture(encoded(stroke(), kind, mode), 28, 20).picture, grey, rtol=0, atol=0.02)
    black_on_nothing = np.zeros((40, 60, 4), np.uint8)
    black_on_nothing[..., 3] = stroke()  # all black; only where there is ink is it opaque
    picture, notes = read_picture(encoded(black_on_nothing), 28, 20)
    torch.testing.assert_close(picture, grey, rtol=0, atol=0.02)
    assert any("transparent" in note for note in notes)


def test_sixteen_bits_are_scaled_and_said() -> None:
    pixels = stroke().astype(np.uint16) * 16  # a 12-bit camera in 16 bits: its white is 4080 of 65535
    picture, notes = read_picture(encoded(pixels), 28, 20)
    torch.testing.assert_close(picture, read_picture(encoded(stroke()), 28, 20).picture, rtol=0, atol=0.02)
    assert any("8 bits" in note for note in notes)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.01), (-3, 1e6), (-3.4e38, 3.4e38), (0, 1e-40)])
def test_real_numbers_of_any_range_are_scaled(low: float, high: float) -> None:
    shares = stroke().astype(np.float64) / 255
    pixels = (low * (1 - shares) + high * shares).astype(np.float32)
    picture, notes = read_picture(encoded(pixels, "tiff"), 28, 20)
    torch.testing.assert_close(picture, read_picture(encoded(stroke()), 28, 20).picture)
    assert any("8 bits" in note for note in notes)
    photograph = read_photograph(encoded(pixels, "tiff"), 20).picture
    torch.testing.assert_close(photograph, read_photograph(encoded(stroke()), 20).picture)


def one_pixel_of(value: float) -> bytes:
    pixels = stroke().astype(np.float32)
    pixels[3, 5] = value
    return encoded(pixels, "tiff")


def test_a_photo_that_a_phone_saved_lying_down_stands_up() -> None:
    lying = Image.fromarray(np.rot90(stroke()).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to see it upright
    file = io.BytesIO()
    lying.save(file, "png", exif=exif)
    upright = read_picture(encoded(stroke()), 28, 20).picture
    assert torch.equal(read_picture(file.getvalue(), 28, 20).picture, upright)


def test_a_photo_with_previews_is_a_still_picture() -> None:
    file = io.BytesIO()
    Image.fromarray(stroke()).save(file, "mpo", save_all=True, append_images=[Image.fromarray(stroke()[::2, ::2])])
    upright = read_picture(encoded(stroke(), "jpeg"), 28, 20).picture
    torch.testing.assert_close(read_picture(file.getvalue(), 28, 20).picture, upright, rtol=0, atol=0.02)


@pytest.mark.parametrize("size", [(1, 200_000), (200_000, 1), (3, 5)])
@pytest.mark.parametrize("box", [20, None])
def test_any_proportions_fit(size: tuple[int, int], box: int | None) -> None:
    pixels = np.zeros(size, np.uint8)
    pixels[size[0] // 3 : size[0] // 3 + 1 + size[0] // 2, size[1] // 3 : size[1] // 3 + 1 + size[1] // 2] = 255
    assert read_picture(encoded(pixels), 28, box).picture.shape == (1, 28, 28)


def animated(kind: str) -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(stroke(ink=ink)) for ink in (255, 128)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def huge() -> bytes:
    return encoded(np.zeros((10_000, 10_000), np.uint8), mode="1")


REFUSED = {
    "nothing": (lambda: b"", "no picture"),
    "a text": (lambda: b"Dear model, please draw a seven.", "no picture"),
    "a program that draws": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "no picture"),
    "a truncated picture": (lambda: encoded(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8))[:-900],
                            "no picture|damaged"),
    "a moving picture": (lambda: animated("gif"), "2 frames"),
    "a moving PNG": (lambda: animated("png"), "2 frames"),
    "100 megapixels": (huge, f"100 megapixels.*{MOST_PIXELS // 10**6}"),
    "an empty drawing": (lambda: encoded(np.zeros((28, 28), np.uint8)), "blank"),
    "white paper": (lambda: encoded(np.full((28, 28), 255, np.uint8)), "blank"),
    "16 bits of nothing": (lambda: encoded(np.full((28, 28), 300, np.uint16)), "blank"),
    "real numbers of nothing": (lambda: encoded(np.full((28, 28), 0.5, np.float32), "tiff"), "blank"),
    "NaN": (lambda: one_pixel_of(np.nan), "no numbers"),
    "inf": (lambda: one_pixel_of(np.inf), "no numbers"),
    "-inf": (lambda: one_pixel_of(-np.inf), "no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("box", [20, None])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(case: str, box: int | None) -> None:
    make, named = REFUSED[case]
    with pytest.raises(InvalidInput, match=f"(?s){named}"):
        read_picture(make(), 28, box)


def test_a_photograph_keeps_its_colours_and_loses_its_edges() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :16] = (255, 0, 0)  # cut away: only the middle square is taken
    pixels[:, 16:48] = (10, 200, 30)
    pixels[:, 48:] = (0, 0, 250)
    picture, notes = read_photograph(encoded(pixels), 32)
    assert picture.shape == (3, 32, 32)
    torch.testing.assert_close(picture[:, 5, 3] * 255, torch.tensor([10.0, 200.0, 30.0]))
    torch.testing.assert_close(picture[:, 31, 31] * 255, torch.tensor([0.0, 0.0, 250.0]))
    assert "96 x 64" in notes[0] and "32 x 32" in notes[1]


def test_a_photograph_is_averaged_over_areas() -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * 254
    picture = read_photograph(encoded(checks.astype(np.uint8)), 32).picture
    torch.testing.assert_close(picture * 255, torch.full((3, 32, 32), 127.0))


def test_a_photograph_of_16_bits_is_scaled() -> None:
    ramp = np.linspace(0, 60_000, 64 * 64).reshape(64, 64).astype(np.uint16)
    picture, notes = read_photograph(encoded(ramp, "tiff"), 32)
    assert picture.min() < 0.02 and picture.max() > 0.98 and "8 bits" in notes[0]


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(stroke())[:60]])
def test_what_is_no_photograph_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        read_photograph(content, 32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_photograph_with_pixels_that_are_no_numbers_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput, match="no numbers"):
        read_photograph(one_pixel_of(value), 20)


def test_a_photograph_that_is_too_small_is_refused() -> None:
    with pytest.raises(InvalidInput, match="20 x 20"):
        read_photograph(encoded(stroke()[:20, :20]), 32)
