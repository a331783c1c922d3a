"""The curves of the report."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from lmedge.gan.family import Panel


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()


def training_curves(log: list[dict[str, Any]], panels: Sequence[Panel]) -> bytes:
    """What the family of the generator shows of its log, and the learning rate, over thousands of images. PNG."""
    kimg = np.array([line["kimg"] for line in log])
    figure, axes = plt.subplots(1, len(panels) + 1, figsize=(13, 3.6), layout="constrained")
    for axis, panel in zip(axes, panels, strict=False):
        for name, label in panel.figures.items():
            values = np.array([line.get(name, np.nan) for line in log])
            axis.plot(kimg, _smooth(values), label=label, linewidth=1)
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        if len(panel.figures) > 1:
            axis.legend()
        axis.set_title(panel.title)
    axes[-1].plot(kimg, [line["learning_rate"] for line in log], color="tab:grey", linewidth=1)
    axes[-1].set_yscale("log")
    axes[-1].set_title("learning rate")
    for axis in axes:
        axis.set_xlabel("thousands of images")
        axis.grid(alpha=0.3)
    return _png(figure)


def judged_curves(judged: list[dict[str, Any]], pictures: list[dict[str, Any]]) -> bytes:
    """Frechet and kernel distance and relative diversity over thousands of images. PNG."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    kimg = [line["kimg"] for line in judged]
    for axis, name, title in ((axes[0], "frechet", "Frechet distance"), (axes[1], "kernel", "kernel distance")):
        axis.plot(kimg, [line[name] for line in judged], marker=".", linewidth=1)
        axis.axhline(judged[-1][f"{name}_real"], color="grey", linestyle="--", linewidth=1)
        axis.set_ylim(bottom=0)
        axis.set_title(title)
    axes[2].plot([line["kimg"] for line in pictures], [line["diversity"] for line in pictures], color="tab:green")
    axes[2].set_ylim(bottom=0)
    axes[2].set_title("diversity over that of real faces")
    for axis in axes:
        axis.set_xlabel("thousands of images")
        axis.grid(alpha=0.3)
    return _png(figure)


def _smooth(values: np.ndarray) -> np.ndarray:
    window = max(1, len(values) // 100)
    padded = np.concatenate([np.repeat(values[:1], window - 1), values])
    return np.convolve(padded, np.ones(window) / window, "valid")


def error_curves(curves: dict[str, dict[str, list[float]]]) -> bytes:
    """Cumulative error curves: share of faces over NME. PNG."""
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for label, curve in curves.items():
        axis.plot(np.array(curve["nme"]) * 100, np.array(curve["share"]) * 100, label=label)
    axis.axvline(10, color="grey", linestyle=":", linewidth=1)
    axis.set_xlabel("inter-ocular NME, %")
    axis.set_ylabel("faces below, %")
    axis.set_xlim(0, 20)
    axis.set_ylim(0, 100)
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    return _png(figure)


def psnr_histogram(psnr: np.ndarray) -> bytes:
    """How well faces were inverted. PNG."""
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    axis.hist(psnr, bins=40, color="tab:blue", alpha=0.8)
    axis.set_xlabel("PSNR of the inversion, dB")
    axis.set_ylabel("faces")
    axis.grid(alpha=0.3)
    return _png(figure)


def point_errors(face: np.ndarray, points: np.ndarray, errors: np.ndarray) -> bytes:
    """A face `[H, W, 3]` with its landmarks `[K, 2]` in the colour of their `errors` `[K]` (shares), the largest three
    with their numbers. PNG."""
    figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    axis.imshow(face, interpolation="bicubic")
    dots = axis.scatter(points[:, 0], points[:, 1], c=errors * 100, s=120 * errors / errors.max() + 10, cmap="plasma")
    for i in np.argsort(-errors)[:3]:
        axis.annotate(f"{errors[i]:.1%}", points[i], (4, 4), textcoords="offset points", color="white", fontsize=9)
    figure.colorbar(dots, ax=axis, label="% of the distance of the reference points")
    axis.set_axis_off()
    return _png(figure)


def study_curves(curves: dict[str, list[tuple[float, float, float, float]]]) -> bytes:
    """NME over the number of real faces: (faces, NME, low, high) for each name, low to high the interval around it.
    What learns from no real face is a line across. PNG."""
    figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for i, (label, points) in enumerate(curves.items()):
        values = np.array(sorted(points)) * (1, 100, 100, 100)
        if not len(values):
            continue
        colour = f"C{i}"
        if values[0, 0] == 0:
            axis.axhline(values[0, 1], color=colour, linestyle="--", label=label)
            axis.axhspan(values[0, 2], values[0, 3], color=colour, alpha=0.08)
            continue
        spread = np.abs(values[:, 2:].T - values[:, 1])
        # Beside each other, so that intervals can be told apart.
        axis.errorbar(values[:, 0] * 1.03 ** (i - 1.5), values[:, 1], spread, color=colour, marker=".", capsize=3,
                      label=label)  # fmt: skip
    amounts = sorted({point[0] for points in curves.values() for point in points if point[0]})
    axis.set_xscale("log")
    axis.set_xticks(amounts, [f"{amount:g}" for amount in amounts])
    axis.minorticks_off()
    axis.set_xlabel("real faces with landmarks")
    axis.set_ylabel("inter-ocular NME on test faces, %")
    axis.grid(alpha=0.3)
    axis.legend()
    return _png(figure)
