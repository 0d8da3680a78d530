"""Packs for the browser, read back byte by byte as the browser does, without PyTorch."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.test_models import LATENT, build
from vae_core.checkpoints import round_weights
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_decoder, pack_frames, pack_id, pack_points, pack_thumbnails, read_header
from vae_core.models.parts import ACTIVATIONS

erf = np.vectorize(math.erf)
NUMPY_ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "clip": lambda x: np.clip(x, 0, 1),
}


def unpack(pack: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and payload, by the format alone."""
    length = int.from_bytes(pack[:4], "little")
    assert (4 + length) % 8 == 0, "typed arrays need an aligned payload"
    return json.loads(pack[4 : 4 + length].decode("utf-8")), pack[4 + length :]


def read(payload: bytes, at: int, dtype: str, *shape: int) -> np.ndarray:
    assert at % 8 == 0
    return np.frombuffer(payload, dtype, math.prod(shape), at).reshape(shape)


def conv_transpose(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Every input pixel [I, H, W] stamps its kernel [I, O, K, K] into the output [O, H', W']; the rim is cut off."""
    _, height, width = x.shape
    kernel = weight.shape[-1]
    out = np.zeros((weight.shape[1], (height - 1) * stride + kernel, (width - 1) * stride + kernel))
    for row in range(height):
        for column in range(width):
            stamp = np.tensordot(x[:, row, column], weight, axes=1)  # [O, K, K]
            out[:, row * stride : row * stride + kernel, column * stride : column * stride + kernel] += stamp
    return out[:, padding : out.shape[1] - padding, padding : out.shape[2] - padding]


def decode(pack: bytes, z: np.ndarray) -> np.ndarray:
    """One code [Z] -> pixels [C, H, W]: what the browser's decoder does, slowly."""
    header, payload = unpack(pack)
    x = z
    for layer in header["layers"]:
        if layer["op"] == "linear":
            weight = read(payload, layer["weight"], "<f2", layer["out"], layer["in"]).astype(np.float64)
            x = weight @ x.ravel() + read(payload, layer["bias"], "<f2", layer["out"])
        elif layer["op"] == "conv_transpose":
            shape = (layer["in"], layer["out"], layer["kernel"], layer["kernel"])
            weight = read(payload, layer["weight"], "<f2", *shape).astype(np.float64)
            x = x.reshape(layer["in"], layer["height"], layer["width"])
            bias = read(payload, layer["bias"], "<f2", layer["out"])
            x = conv_transpose(x, weight, layer["stride"], layer["padding"]) + bias[:, None, None]
        elif layer["op"] == "keep":
            x = kept = x.reshape(layer["channels"], layer["height"], layer["width"])
        elif layer["op"] == "add":
            x = x + kept
        else:
            x = NUMPY_ACTIVATIONS[layer["name"]](x)
    return x.reshape(header["image"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("name", "network"), LATENT)
@pytest.mark.parametrize("image", [(1, 12, 12), (3, 8, 16)])
def test_a_decoder_reads_back_as_it_decodes(
    name: str, network: str, image: tuple[int, int, int], activation: str
) -> None:
    model = build(name, network=network, image=image, activation=activation, hidden=(24, 16))
    round_weights(model, "float16")
    pack = pack_decoder(model.decoder, image, 3, model.pixels)
    header, _ = unpack(pack)
    assert (header["format"], header["kind"], header["dtype"]) == (1, "decoder", "float16")
    assert (header["image"], header["latent"]) == (list(image), 3)
    assert header["layers"][-1] == {"op": "activation", "name": model.pixels}
    for z in 3 * torch.randn(3, 3):
        expected = model.decode(z[None])[0].detach().numpy()
        np.testing.assert_allclose(decode(pack, z.double().numpy()), expected, atol=2e-6)


def test_a_layer_that_the_browser_cannot_run_is_named() -> None:
    with pytest.raises(InvalidInput, match="BatchNorm1d"):
        pack_decoder(nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16)), (1, 4, 4), 2)


def test_a_pack_is_named_by_its_content() -> None:
    decoder = build("vae").decoder
    pack = pack_decoder(decoder, (1, 12, 12), 3)
    assert pack == pack_decoder(decoder, (1, 12, 12), 3)
    assert len(pack_id(pack)) == 16 and int(pack_id(pack), 16) >= 0
    assert pack_id(pack) == unpack(pack)[0]["id"] == read_header(pack)["id"]
    with torch.no_grad():
        decoder[0].bias += 1
    changed = pack_decoder(decoder, (1, 12, 12), 3)
    assert len(changed) == len(pack) and pack_id(changed) != pack_id(pack)


@pytest.mark.parametrize("deterministic", [False, True])
def test_points_read_back(deterministic: bool) -> None:
    codes, std, labels = torch.randn(7, 3), torch.rand(7, 3), torch.arange(7)
    pack = pack_points(codes, None if deterministic else std, labels, ["zero", "ein Schuh", "\u6570"])
    header, payload = unpack(pack)
    assert (header["kind"], header["count"], header["latent"]) == ("points", 7, 3)
    assert header["classes"] == ["zero", "ein Schuh", "\u6570"]
    np.testing.assert_array_equal(read(payload, header["codes"], "<f4", 7, 3), codes)
    np.testing.assert_array_equal(read(payload, header["labels"], "u1", 7), labels)
    if deterministic:
        assert header["std"] is None
    else:
        np.testing.assert_array_equal(read(payload, header["std"], "<f4", 7, 3), std)


def atlas(pack: bytes) -> tuple[dict[str, Any], np.ndarray]:
    header, payload = unpack(pack)
    assert header["kind"] == "thumbnails"
    with Image.open(io.BytesIO(payload[header["png"] : header["png"] + header["length"]])) as picture:
        assert picture.format == "PNG"
        return header, np.asarray(picture)


@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnails_read_back(channels: int) -> None:
    images = torch.randint(0, 256, (7, channels, 5, 5), dtype=torch.uint8)
    header, sheet = atlas(pack_thumbnails(images))
    assert (header["count"], header["side"]) == (7, 5)
    for number, image in enumerate(images):
        row, column = divmod(number, header["columns"])
        tile = sheet[row * 5 : row * 5 + 5, column * 5 : column * 5 + 5]
        np.testing.assert_array_equal(tile if channels == 3 else tile[..., None], image.permute(1, 2, 0))


def test_thumbnails_shrink_by_averaging() -> None:
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    header, sheet = atlas(pack_thumbnails(images, side=4))
    assert header["side"] == 4
    expected = images[0, 0].float().view(4, 2, 4, 2).mean((1, 3)).round()
    np.testing.assert_array_equal(sheet[:4, :4], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_frames_read_back(channels: int) -> None:
    latents = [torch.randn(7, 5).half() for _ in range(3)]
    pictures = [torch.randint(0, 256, (4, channels, 6, 8), dtype=torch.uint8) for _ in range(3)]
    labels = torch.tensor([2, 0, 1, 2, 0, 1, 2], dtype=torch.uint8)
    pack = pack_frames([0, 5, 40], latents, pictures, labels, (3, 1), "a run, first frames")
    header, payload = unpack(pack)
    assert (header["kind"], header["steps"], header["count"]) == ("frames", [0, 5, 40], 7)
    assert (header["axes"], header["slot"]) == ([3, 1], "a run, first frames")
    np.testing.assert_array_equal(read(payload, header["labels"], "u1", 7), labels)
    planes = read(payload, header["codes"], "<f2", 3, 7, 2)
    for plane, codes, (at, length), images in zip(planes, latents, header["strips"], pictures, strict=True):
        np.testing.assert_array_equal(plane, codes[:, [3, 1]])
        with Image.open(io.BytesIO(payload[at : at + length])) as picture:
            row = np.asarray(picture).reshape(6, 4, 8, channels)
        np.testing.assert_array_equal(row.transpose(1, 3, 0, 2), images)


def test_frames_shrink_large_pictures_and_keep_their_shape() -> None:
    pictures = [torch.randint(0, 256, (2, 1, 16, 32), dtype=torch.uint8)]
    header, payload = unpack(pack_frames([0], [torch.zeros(1, 2)], pictures, torch.zeros(1), (0, 1), "", side=16))
    at, length = header["strips"][0]
    with Image.open(io.BytesIO(payload[at : at + length])) as picture:
        assert picture.size == (2 * 16, 8)
        expected = pictures[0][0, 0].float().view(8, 2, 16, 2).mean((1, 3)).round()
        np.testing.assert_array_equal(np.asarray(picture)[:, :16], expected)


def test_codes_beyond_half_precision_stay_finite() -> None:
    latents = [torch.tensor([[1e6, -float("inf")], [0.5, 1.0]])]
    header, payload = unpack(
        pack_frames([0], latents, [torch.zeros(1, 1, 4, 4, dtype=torch.uint8)], torch.zeros(2), (0, 1), "")
    )
    np.testing.assert_array_equal(read(payload, header["codes"], "<f2", 2, 2), [[6e4, -6e4], [0.5, 1.0]])
