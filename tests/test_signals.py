"""Signals: read strictly, put on a scale and back, simulated as published, and scored against known answers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.signals import spread
from vae_core.data import heartbeats, signal_csv
from vae_core.data.heartbeats import NORMAL, SIMULATED_CLASSES, WINDOW, drawn_beats, ecg5000, integrated, simulated
from vae_core.data.signal_csv import read_signals
from vae_core.data.signals import (
    Scale,
    Signals,
    SignalSource,
    scale_of,
    split_by_label,
    split_by_place,
    standardised,
)
from vae_core.detectors import (
    MeanSignal,
    Network,
    PrincipalComponents,
    alarm_threshold,
    new_training,
    squared_errors,
    strangeness,
)
from vae_core.errors import InvalidInput
from vae_core.metrics.ranking import auroc, rank

X = np.random.default_rng(5).normal(size=(24, 10)).round(3)


def written(
    values: np.ndarray = X,
    separator: str = ",",
    header: str = "",
    labels: list[str] | None = None,
    last: bool = False,
) -> str:
    """Signals [N, L] as the text of a file."""
    rows = [[f"{value:g}" for value in row] for row in values]
    if labels:
        rows = [[*row, label] if last else [label, *row] for row, label in zip(rows, labels, strict=True)]
    return "\n".join([header] * bool(header) + [separator.join(row) for row in rows]) + "\n"


def read(text: str | bytes, **asked: str) -> Signals:
    return read_signals(text.encode() if isinstance(text, str) else text, **asked)  # type: ignore[arg-type]


def changed(row: int, column: int, cell: str) -> str:
    """The usual file with another cell; both places count from 1."""
    lines = [line.split(",") for line in written().splitlines()]
    lines[row - 1][column - 1] = cell
    return "\n".join(",".join(line) for line in lines)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "abcdefghij", "0123456789"])
def test_signals_are_read_whatever_separates_them(separator: str, header: str) -> None:
    found = read(written(separator=separator, header=separator.join(header)))
    np.testing.assert_allclose(found.values, X, rtol=1e-6)
    assert found.values.dtype == np.float32 and found.labels is None and found.lines is not None
    assert found.lines[0] == 1 + bool(header)
    assert any("holds names" in note for note in found.notes) == bool(header)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("labels", [["sick", "fine", "fine"], ["2", "1", "1.0"]])
def test_a_column_of_labels_is_recognised_and_said(labels: list[str], last: bool) -> None:
    found = read(written(labels=labels * 8, last=last))
    np.testing.assert_allclose(found.values, X, rtol=1e-6)
    assert found.labels is not None and found.labels.tolist() == [1, 0, 0] * 8, "the most frequent one first"
    assert found.class_names == (("fine", "sick") if labels[0] == "sick" else ("1", "2"))
    assert f"Column {11 if last else 1} is taken for labels." in found.notes
    asked = read(written(labels=labels * 8, last=last), labels="last" if last else "first")
    assert asked.labels is not None and (asked.labels == found.labels).all() and "as asked" in asked.notes[0]


def test_what_programs_add_to_a_table_is_left_out() -> None:
    counted = written(labels=[str(place) for place in range(24)], header="," + ",".join(map(str, range(10))))
    found = read(counted)
    np.testing.assert_allclose(found.values, X, rtol=1e-6)
    assert any("counts the lines" in note for note in found.notes)
    german = written(separator=";").replace(".", ",")
    np.testing.assert_allclose(read(german).values, X, rtol=1e-6)
    for text in (
        written().replace("\n", "\r\n"),
        written().replace("\n", ",\n"),
        "\ufeff" + written(),
        written() + "\n\n",
    ):
        np.testing.assert_allclose(read(text).values, X, rtol=1e-6)
    np.testing.assert_allclose(read(written().encode("utf-16")).values, X, rtol=1e-6)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a gap": (changed(3, 4, ""), "Line 3, column 4 is empty"),
    "a missing value": (changed(3, 4, "NaN"), "Line 3, column 4 holds 'NaN', which stands for a missing value"),
    "infinity": (changed(3, 4, "-inf"), "Line 3, column 4 holds '-inf'; an infinite"),
    "what only Python takes for a number": (changed(3, 4, "1_0"), "Line 3, column 4 holds '1_0', which is no number"),
    "a word": (changed(3, 4, "twelve"), "Line 3, column 4 holds 'twelve', which is no number"),
    "a huge number": (changed(3, 4, "1e39"), "Line 3, column 4 holds '1e39', which is too large"),
    "a long word": (changed(3, 4, "x" * 500), "Line 3, column 4 holds 'x{29}…'"),
    "another length": (changed(3, 4, "1,2"), "Line 3 has 11 columns, but most lines have 10"),
    "few rows": (written(X[:5]), "holds 5 signals; at least 20"),
    "short signals": (written(X[:, :4]), "Each signal has 4 samples; allowed are 8 to 4096"),
    "long signals": (written(np.tile(X, 410)), "Each signal has 4100 samples"),
    "flat signals": (written(np.full((24, 10), 3.0)), "All samples, from line 1 on, are 3"),
    "one signal": (written(np.tile(X[:1], (24, 1))), "All signals are the same as that in line 1"),
    "a workbook": (b"PK\x03\x04 and so on", "a workbook or an archive"),
    "no text": (b"\x00\x01" * 50, "Line 1 holds a byte 0"),
    "nothing": (b"", "The file is empty"),
    "empty lines": (b" \n\n ", "The file is empty"),
    "another encoding": ("über\n".encode("latin-1") + written().encode(), "Line 1 holds a character that is not in"),
    "one column": ("one\ntwo\n", "holds a single number or word"),
    "a column that counts, and nothing": ("".join(f"{line},\n" for line in range(30)), "Each signal has 0 samples"),
    "a column that counts, and a word": ("".join(f"{line},a\n" for line in range(30)), "Each signal has 1 sample;"),
    "an open quotation": ('"' + written(), "Line 24 cannot be taken apart"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_named_by_line_and_column(name: str) -> None:
    content, sentence = REFUSED[name]
    with pytest.raises(InvalidInput, match=sentence) as caught:
        read(content)
    assert len(str(caught.value)) < 320


@pytest.mark.parametrize(
    "names",
    [
        ("1000001", "1000002"), ("0.1234567", "0.1234568"), ("-1", "1"),
        ("12345678901234567890", "12345678901234567891"), ("1e300", "2e300"), ("1e999999999", "2e999999999"),
    ],
)  # fmt: skip
def test_labels_that_differ_in_a_late_digit_are_two(names: tuple[str, str]) -> None:
    found = read(written(labels=[*names, names[0]] * 8), labels="first")
    assert found.class_names == names and found.labels is not None and found.labels.tolist() == [0, 1, 0] * 8


def test_one_number_written_in_several_ways_is_one_label() -> None:
    found = read(written(labels=["1", "1.0", "+1e0", "2.50", "2.5", "-0"] * 4), labels="first")
    assert set(found.class_names) == {"1", "2.5", "0"}


def test_names_that_are_told_apart_too_late_are_refused() -> None:
    long = "premature contraction of the ventricle"
    with pytest.raises(InvalidInput, match="Column 1 holds different labels that all begin with 'premature") as caught:
        read(written(labels=[f"{long} left", f"{long} right", "fine"] * 8))
    assert len(str(caught.value)) < 320
    assert read(written(labels=[long, "fine", "fine"] * 8)).class_names == ("fine", long[:30])


def test_labels_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Column 10 holds 24 different labels, at most 20"):
        read(written(), labels="last")
    with pytest.raises(InvalidInput, match="Line 2, column 1: the label is missing"):
        read(written(labels=["a", "", "a"] * 8), labels="first")
    with pytest.raises(InvalidInput, match="Line 1, column 1 holds 'a', which is no number"):
        read(written(labels=["a", "b", "a"] * 8), labels="none")


def test_a_flat_signal_is_kept_and_said_unless_it_is_to_be_standardised() -> None:
    values = X.copy()
    values[6] = 1.5
    found = read(written(values))
    assert any("Flat signals: 1, the first in line 7" in note for note in found.notes)
    with pytest.raises(InvalidInput, match=r"line 7 is flat: all of its 10 samples are 1\.5"):
        standardised(found)
    scaled = standardised(read(written())).values
    np.testing.assert_allclose(scaled.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=1), 1, atol=1e-6)


def test_huge_files_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_csv, "MOST_BYTES", 1000)
    with pytest.raises(InvalidInput, match="at most 0 MB are read"):
        read(written())
    monkeypatch.undo()
    monkeypatch.setattr(signal_csv, "MOST_NUMBERS", 100)
    with pytest.raises(InvalidInput, match="line 11 is one too many"):
        read(written())


def test_a_scale_leads_into_the_unit_interval_and_back() -> None:
    scale = scale_of(X)
    unit = scale.to_unit(X)
    assert unit.shape == (24, 1, 1, 10) and unit.dtype == torch.float32
    assert 0 < unit.min() < 0.1 and 0.9 < unit.max() < 1
    np.testing.assert_allclose(scale.from_unit(unit), X, atol=1e-6)
    assert Scale(0, 2).to_unit(np.array([[5.0]])).item() == 2.5, "nothing is cut off"
    source = SignalSource(X, scale)
    assert len(source) == 24 and source.shape == (1, 1, 10) and source.is_resident
    torch.testing.assert_close(source.images(torch.tensor([3, 1])), unit[[3, 1]])
    with pytest.raises(InvalidInput, match="All samples of all signals are 2"):
        scale_of(np.full((3, 3), 2.0))


def test_only_normal_signals_are_trained_on_and_none_of_them_is_scored() -> None:
    signals = Signals("t", np.zeros((60, 8), np.float32), np.arange(60) % 3, ("a", "b", "c"))
    split = split_by_label(signals, 1)
    assert len(split.train) == 10 and (split.train % 3 == 1).all() and split.held_out
    assert sorted([*split.train, *split.scored]) == list(range(60))
    with pytest.raises(InvalidInput, match="15 of 60 signals are 'a'"):
        split_by_label(Signals("t", np.zeros((60, 8)), np.minimum(np.arange(60) % 4, 1), ("a", "b")), 0)
    with pytest.raises(InvalidInput, match="40 of 40 signals are 'a'"):
        split_by_label(Signals("t", np.zeros((40, 8)), np.zeros(40, int), ("a",)), 0)
    every, half = split_by_place(signals), split_by_place(signals, 0.5)
    assert not every.held_out and len(every.train) == len(every.scored) == 60
    assert half.held_out and half.train.tolist() == list(range(30)) and half.scored.tolist() == list(range(30, 60))


def test_the_simulation_solves_the_published_equations() -> None:
    """All three equations, by scipy's solver, from the same point of the limit cycle."""
    solve_ivp = import_module("scipy.integrate").solve_ivp  # scikit-learn brings it along
    beats = drawn_beats(np.array([0, 2, 4]), np.random.default_rng(3))
    ours = integrated(beats, length=50, substeps=8)
    times = WINDOW[0] + np.arange(50) / 50
    for row in range(3):
        rate = 2 * np.pi / beats.seconds[row]

        def base(t: float, row: int = row) -> float:
            return heartbeats.WANDER * np.sin(2 * np.pi * heartbeats.BREATHS * t + beats.breath[row])

        def flow(t: float, state: np.ndarray, row: int = row, rate: float = rate) -> list[float]:
            x, y, z = state
            alpha = 1 - np.hypot(x, y)
            away = (np.arctan2(y, x) - beats.angles[row] + np.pi) % (2 * np.pi) - np.pi
            waves = beats.strengths[row] * away * np.exp(-(away**2) / (2 * beats.widths[row] ** 2))
            return [alpha * x - rate * y, alpha * y + rate * x, -waves.sum() - (z - base(t))]

        start = WINDOW[0] - heartbeats.BURN_IN
        height = heartbeats.first_height(beats, 2 * np.pi / beats.seconds, start)[row] + base(start)
        first = [np.cos(rate * start), np.sin(rate * start), height]
        solved = solve_ivp(flow, (start, times[-1]), first, t_eval=times, rtol=1e-8, atol=1e-10, max_step=0.01)
        np.testing.assert_allclose(ours[row], solved.y[2], atol=2e-6)


def test_simulated_beats_look_as_their_names_say() -> None:
    beats = simulated(40, 20, seed=1)
    assert beats.labels is not None and np.bincount(beats.labels).tolist() == [40, 20, 20, 20, 20]
    mean = {name: beats.values[beats.labels == place].mean(axis=0) for place, name in enumerate(SIMULATED_CLASSES)}
    peak = int(mean["normal"].argmax())
    assert abs(peak - 63) <= 1 and 0.8 < mean["normal"].max() < 1.5, "an R peak of about 1.2 mV at time 0"
    p_wave, t_wave, between = slice(37, 46), slice(90, 105), slice(76, 84)
    assert mean["no P wave"][p_wave].mean() < mean["normal"][p_wave].mean() - 0.05
    assert mean["T wave upside down"][t_wave].mean() < mean["normal"][t_wave].mean() - 0.3
    assert mean["raised between S and T"][between].mean() > mean["normal"][between].mean() + 0.1
    assert (mean["wide QRS"] > 0.5).sum() > (mean["normal"] > 0.5).sum()
    np.testing.assert_array_equal(simulated(40, 20, seed=1).values, beats.values)


def test_recorded_beats_are_read_strictly_and_only_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    assert ecg5000() is None
    values, labels = (
        np.random.default_rng(0).normal(size=(6, 140)).astype(np.float32),
        np.array([1, 1, 2, 3, 4, 5], np.uint8),
    )
    arrays = {"train_signals": values, "train_labels": labels, "test_signals": values[:2], "test_labels": labels[:2]}
    np.savez(tmp_path / "ecg5000.npz", **arrays)
    found = ecg5000()
    assert found is not None and found[0].labels is not None and found[0].labels.tolist() == [0, 0, 1, 2, 3, 4]
    assert len(found[1]) == 2 and found[0].class_names[NORMAL] == "normal"
    broken = values.copy()
    broken[2, 2] = np.nan
    for wrong in ({"train_labels": labels + 1}, {"test_signals": values[:, :9]}, {"train_signals": broken}):
        np.savez(tmp_path / "ecg5000.npz", **(arrays | wrong))
        with pytest.raises(InvalidInput, match=r"ecg5000\.npz is not ECG5000"):
            ecg5000()
    (tmp_path / "ecg5000.npz").write_bytes(b"no zip")
    with pytest.raises(InvalidInput, match="Put a good copy there"):
        ecg5000()


def waves(count: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    """Signals [N, 32]: one slow wave of random height on a slope; `shift` moves the wave."""
    draws = np.random.default_rng(seed)
    time_ = np.linspace(0, 1, 32)
    heights, slopes = draws.normal(2, 0.5, (count, 1)), draws.normal(0, 0.5, (count, 1))
    return 100 * (heights * np.sin(2 * np.pi * (time_ + shift)) + slopes * time_ + 5).astype(np.float32)


def test_the_simple_detectors_give_known_answers() -> None:
    x = waves(50)
    mean = MeanSignal(x)
    np.testing.assert_allclose(strangeness(mean, x) ** 2, ((x - x.mean(0)) ** 2).mean(1), rtol=1e-4)
    two = PrincipalComponents(x, 2)
    assert strangeness(two, x).max() < 1e-3 * x.std(), "height and slope are two directions"
    one = PrincipalComponents(x, 1)
    left = np.linalg.svd((x - x.mean(0)).astype(np.float64), compute_uv=False)[1:]
    assert (squared_errors(x, one.rebuilt(x))).sum() == pytest.approx((left**2).sum(), rel=1e-5)
    assert alarm_threshold(np.arange(101), 0.95) == 95


def test_a_network_learns_the_normal_signals_and_finds_the_others_strange() -> None:
    normal, others = waves(120, 1), waves(60, 2, shift=0.3)
    network, training = new_training(waves(80), latent=2, seed=0, steps=200)
    before = strangeness(network, normal).mean()
    told = list(training.run(100))
    assert told[-1].step == training.steps and 200 <= training.steps < 202
    after = strangeness(network, normal)
    assert after.mean() < 0.5 * before
    scores = np.concatenate([after, strangeness(network, others)])
    assert auroc(rank(scores, np.arange(180) >= 120)) > 0.95
    assert isinstance(network, Network) and network.rebuilt(normal).shape == normal.shape
    assert 300 < network.rebuilt(normal).mean() < 700, "in the signals' own units"


def test_examples_are_drawn_from_all_labels_in_turn() -> None:
    labels = np.array([1] * 50 + [2] * 2 + [3] * 5)
    taken = spread(np.arange(57), labels, 9, np.random.default_rng(0))
    assert len(set(taken)) == 9 and sorted(labels[taken].tolist()) == [1, 1, 1, 1, 2, 2, 3, 3, 3]
