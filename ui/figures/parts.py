"""The figures of the lesson on the parts of an autoencoder: a network drawn number by number, and bars of errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from ui.addresses import png_address
from ui.figures import INACTIVE, LABEL_SIZE, plain
from ui.palette import ROLE_COLOURS, RUN_COLOURS

ENCODER, DECODER, LOSS = RUN_COLOURS[0], RUN_COLOURS[2], RUN_COLOURS[3]
CODE = ROLE_COLOURS["autoencoder"]
TOO_LIGHT, TOO_DARK = (214, 96, 77), (67, 147, 195)  # where a picture is wrong
CELL = 8  # pixels of one number in a file, so that no browser blurs it much
SIDE = "--side:clamp(58px,14.4vw,182px)"  # of a picture, on a phone and in a hall
MOST_WRITTEN = 2  # numbers of a code that are written out
NEVER_SMOOTH = "display:block;width:100%;image-rendering:pixelated"


class Sums(NamedTuple):
    """An error under the loss: its name, its value, and what a full bar stands for."""

    name: str
    value: float
    full: float


class Network(NamedTuple):
    """One picture on its way through an autoencoder. All sizes are those of the arrays."""

    picture: np.ndarray  # [H, W] in [0, 1]
    encoder: Sequence[np.ndarray]  # hidden layers, [units] each
    code: np.ndarray  # [Z]
    decoder: Sequence[np.ndarray]
    rebuilt: np.ndarray  # [H, W]
    weights: tuple[int, int]  # of the encoder, of the decoder
    reach: float  # what a full bar of the code stands for
    going_in: str  # which kind of picture it is
    own_errors: Sequence[tuple[str, str]]  # of this picture: which, and how much
    errors: Sequence[Sums]  # the means


def block(units: int) -> tuple[int, int]:
    """Rows and columns in which a layer's numbers stand: as near to a square as their number allows."""
    rows = next(n for n in range(int(units**0.5), 0, -1) if units % n == 0)
    return rows, units // rows


def network(drawn: Network) -> str:
    """The network as HTML: every number of every layer is one square, as large as one pixel of the picture."""
    height, width = drawn.picture.shape
    size = f"{height} &times; {width} = {height * width}"
    parts = [
        _column("Picture", None, _picture(drawn.picture), f"{size}<br>{drawn.going_in}"),
        _half("Encoder", ENCODER, drawn.encoder, height, (height, block(len(drawn.code))[0]), drawn.weights[0]),
        _bottleneck(drawn.code, drawn.reach, height),
        _half("Decoder", DECODER, drawn.decoder, height, (block(len(drawn.code))[0], height), drawn.weights[1]),
        _column("Rebuilt", None, _picture(drawn.rebuilt), size),
    ]
    sizes = [height * width, *map(len, drawn.encoder), len(drawn.code), *map(len, drawn.decoder), height * width]
    flow = (
        f'<div role="img" aria-label="Network of {", ".join(map(str, sizes))} units" style="flex:20 1 300px;'
        f'display:flex;gap:clamp(2px,.6vw,8px)">{"".join(parts)}</div>'
    )
    return (
        f'<div style="{SIDE};display:flex;flex-wrap:wrap;gap:8px 20px;font-size:14px;line-height:1.35;'
        f'font-variant-numeric:tabular-nums">{flow}{_loss(drawn)}</div>'
    )


def _title(name: str, colour: str | None) -> str:
    line = f"border-bottom:3px solid {colour or 'transparent'}"
    return (
        f'<div style="font-size:clamp(13px,1.3vw,16px);text-align:center;margin-bottom:8px;{line}"><b>{name}</b></div>'
    )


def _column(name: str, colour: str | None, stage: str, foot: str, width: str = "var(--side)") -> str:
    return (
        f'<div style="flex:0 0 {width};min-width:0">{_title(name, colour)}'
        f'<div style="height:var(--side);position:relative">{stage}</div>'
        f'<div style="text-align:center;margin-top:6px">{foot}</div></div>'
    )


def _half(
    name: str, colour: str, layers: Sequence[np.ndarray], pixels: int, ends: tuple[int, int], weights: int
) -> str:  # fmt: skip
    """An encoder or a decoder: its layers before the outline of their heights, all on the picture's scale."""
    places = [100 * (i + 0.5) / len(layers) for i in range(len(layers))]
    sizes = [block(len(values)) for values in layers]
    outline = [(0.0, ends[0] / pixels), *((x, rows / pixels) for x, (rows, _) in zip(places, sizes, strict=True)),
               (100.0, ends[1] / pixels)]  # fmt: skip
    above = [f"{x:.2f}% {50 - 50 * height:.2f}%" for x, height in outline]
    below = [f"{x:.2f}% {50 + 50 * height:.2f}%" for x, height in reversed(outline)]
    stage = (
        f'<div style="position:absolute;inset:0;background:{colour};opacity:.16;'
        f'clip-path:polygon({",".join(above + below)})"></div>'
    )
    labels = ""
    for x, values in zip(places, layers, strict=True):
        stage += _numbers(values, colour, pixels, x)
        labels += f'<span style="position:absolute;left:{x:.2f}%;transform:translateX(-50%)">{len(values)}</span>'
    return (
        f'<div style="flex:1 1 0;min-width:0">{_title(name, colour)}'
        f'<div style="height:var(--side);position:relative">{stage}</div>'
        f'<div style="position:relative;height:1.35em;margin-top:6px">{labels}</div>'
        f'<div style="text-align:center">{weights:,} weights</div></div>'
    )


def _numbers(values: np.ndarray, colour: str, pixels: int, x: float = 50) -> str:
    """A layer's numbers as squares, in the middle of the stage: strong in colour above zero, grey below."""
    columns = block(len(values))[1]
    return (
        f'<div style="position:absolute;left:{x:.2f}%;top:50%;transform:translate(-50%,-50%);'
        f"width:calc(var(--side)*{columns / pixels:.4f});outline:1px solid rgba(128,134,144,.8);"
        f'background:rgba(128,134,144,.14)"><img src="{_address(_shades(values, colour))}" alt="" '
        f'style="{NEVER_SMOOTH}"></div>'
    )


def _shades(values: np.ndarray, colour: str) -> Image.Image:
    """Numbers [units] as squares of a colour, the largest opaque, zero clear; negative ones in grey."""
    share = values / max(float(np.abs(values).max()), 1e-9)
    rows, columns = block(len(values))
    ink = np.array([_rgb(colour if each >= 0 else INACTIVE) for each in share], dtype=np.uint8)
    opacity = (255 * np.abs(share)).round().astype(np.uint8)
    squares = np.concatenate([ink, opacity[:, None]], axis=1).reshape(rows, columns, 4)
    return Image.fromarray(squares.repeat(CELL, 0).repeat(CELL, 1))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _bottleneck(code: np.ndarray, reach: float, pixels: int) -> str:
    """The code at its true size, and under it as bars about zero."""
    bars = "".join(
        f'<span style="flex:1 1 0;max-width:14px;position:relative"><span style="position:absolute;left:0;right:0;'
        f"{'bottom' if value >= 0 else 'top'}:50%;height:{50 * min(abs(float(value)) / reach, 1):.1f}%;"
        f'background:{CODE}"></span></span>'
        for value in code
    )
    told = "code"
    if len(code) <= MOST_WRITTEN:
        told = f"({', '.join(f'{value:.1f}' for value in code)})".replace("-", "&minus;")
    foot = (
        f'{len(code)} numbers<div style="height:52px;display:flex;gap:1px;justify-content:center;background:linear-'
        f'gradient(rgba(128,134,144,.9),rgba(128,134,144,.9)) center/100% 1px no-repeat">{bars}</div>{told}'
    )
    return _column("Bottleneck", CODE, _numbers(code, CODE, pixels), foot, "clamp(72px,8vw,104px)")


def _loss(drawn: Network) -> str:
    """What is wrong with the rebuilt picture, and the means over many."""
    bars = "".join(
        f'<div style="display:flex;justify-content:space-between;gap:8px"><span>{name}</span><b>{value:.4f}</b></div>'
        f'<div style="height:7px;background:rgba(128,134,144,.25);margin-bottom:4px"><div style="height:7px;'
        f'width:{100 * min(value / full, 1):.1f}%;background:{LOSS}"></div></div>'
        for name, value, full in drawn.errors
    )
    wrong = difference(drawn.picture, drawn.rebuilt).transpose(1, 2, 0)
    error = Image.fromarray(wrong.repeat(CELL, 0).repeat(CELL, 1))
    own = "".join(f'<div style="margin-bottom:4px">{name}<br><b>{value}</b></div>' for name, value in drawn.own_errors)
    return (
        f'<div style="flex:1 1 210px;max-width:240px">{_title("Loss", LOSS)}<div style="display:flex;gap:12px">'
        f'<div style="flex:0 0 calc(var(--side)*.55);min-width:84px"><img src="{_address(error)}" '
        f'alt="Where the rebuilt picture is wrong" style="{NEVER_SMOOTH}"></div>'
        f'<div style="flex:1 1 0;min-width:0">{own}</div></div>'
        '<div style="margin-top:4px">red: too light, blue: too dark</div>'
        f'<div style="margin-top:10px">{bars}</div></div>'
    )


def difference(picture: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """Pictures [..., H, W] in [0, 1] as uint8 [..., 3, H, W]: red where the rebuilt one is too light, blue where it is
    too dark, white where it is right; one scale for all, full at an error of 1."""
    wrong = np.clip(rebuilt - picture, -1, 1)[..., None, :, :]
    light, dark = (np.array(rgb, float)[:, None, None] for rgb in (TOO_LIGHT, TOO_DARK))
    strength = np.abs(wrong) ** 0.7  # so that small errors are seen, too
    return (255 + strength * (np.where(wrong > 0, light, dark) - 255)).round().astype(np.uint8)


def _picture(pixels: np.ndarray) -> str:
    grey = Image.fromarray((255 * pixels.clip(0, 1)).round().astype(np.uint8))
    large = grey.resize((CELL * pixels.shape[1], CELL * pixels.shape[0]), Image.Resampling.NEAREST)
    return f'<img src="{_address(large)}" alt="" style="{NEVER_SMOOTH}">'


def _address(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "png", compress_level=3)
    return png_address(file.getvalue())


def error_bars(
    names: Sequence[str], train: Sequence[float], held_out: Sequence[float], today: int, *, x: str, y: str,
    limit: float | None = None, limit_name: str = "",
) -> go.Figure:  # fmt: skip
    """Errors on training and on held-out images beside each other for each value [M] of what is changed; today's is
    drawn strong. A dashed line where there is a limit."""
    figure = go.Figure()
    largest = max(*train, *held_out)
    digits = ".3f" if largest < 1 else ".2f" if largest < 10 else ".1f"
    for name, values, colour, pattern in (
        ("training images", train, INACTIVE, ""), ("held-out images", held_out, LOSS, "/"),
    ):  # fmt: skip
        figure.add_bar(
            x=list(names), y=list(values), name=name, cliponaxis=False, textposition="outside",
            textangle=-90, constraintext="none",  # upright they would run into each other on a phone
            text=[f"{value:{digits}}" for value in values], textfont={"size": LABEL_SIZE},
            marker={"color": colour, "opacity": [1 if i == today else 0.45 for i in range(len(names))],
                    "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "#ffffff", "fgopacity": 0.5}},
            hovertemplate="%{x}: %{y:.4f}<extra>" + name + "</extra>",
        )  # fmt: skip
    plain(figure, height=320, x=x, y=y)
    top = max(1.45 * largest, 1.1 * (limit or 0))  # with room for the numbers
    figure.update_layout(barmode="group", bargap=0.35, margin={"t": 40, "b": 48})
    figure.update_yaxes(range=[0, top], fixedrange=True)
    words = [name.replace(" ", "<br>") for name in names]  # level and in two lines: on a phone they would tilt
    figure.update_xaxes(type="category", fixedrange=True, tickvals=list(names), ticktext=words, tickangle=0)
    if limit is not None:
        figure.add_hline(
            y=limit, name=limit_name, showlegend=True, line={"dash": "dash", "width": 1.5, "color": INACTIVE}
        )
    return figure
