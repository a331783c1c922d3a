"""The page of a study: a plot, a table, and the answer in a sentence."""

from __future__ import annotations

from typing import Any

from lmedge.evaluation import plots
from lmedge.evaluation.report import Section, page_of
from lmedge.storage import write_bytes
from lmedge.study.arms import ARMS, COMPARED
from lmedge.study.options import StudyConfig
from lmedge.study.result import StudyResult


def answer(result: StudyResult) -> list[str]:
    """What generated faces do to the error, a sentence for each comparison and number of real faces."""
    lines = []
    for (arm, other, amount), gain in result.gains.items():
        sure = "" if gain.low > 0 or gain.high < 0 else ": the difference may be chance"
        interval = f"95 % confidence: {_change(gain.low)} to {_change(gain.high)}"
        more = COMPARED[arm, other]
        lines.append(f"{amount} real faces: with {more} the NME is {_change(gain.value)} ({interval}){sure}.")
    return lines


def _change(lowered: float) -> str:
    return f"{abs(lowered):.1%} {'lower' if lowered >= 0 else 'higher'}"


def write_report(result: StudyResult, config: StudyConfig, about: dict[str, Any]) -> None:
    """index.html and curves.png in the folder of the study."""
    lines = []
    for (arm, amount), found in sorted(result.errors.items(), key=lambda item: item[0][1]):
        shares = ", ".join(f"{share:g}" for share in result.shares.get((arm, amount), ()))
        lines.append(
            (
                f"{arm}{f', {amount} real faces' if amount else ''}",
                f"NME {found}{f'; shares of generated faces that were chosen: {shares}' if shares else ''}",
            )
        )
    for model in result.exported:
        text = f"NME {model.nme:.2%}, {model.bytes / 1024:.0f} KiB, {model.ms:.2f} ms a face on one thread"
        lines.append((f"detector/{model.file.name} ({model.arm}, {model.real} real faces)", text))
    if (own := result.annotator) is not None:
        text = f"NME {own.nme:.2%} where it finds a face ({own.found:.1%}), {own.ms:.2f} ms a face"
        lines.append((f"{own.title} itself on the test faces", text))
        lines.append(("  fitted to the style of all real faces", f"NME {own.styled:.2%}"))
    curves = {
        arm.name: [
            (amount, *vars(found).values()) for (name, amount), found in result.errors.items() if name == arm.name
        ]
        for arm in ARMS
        if any(name == arm.name for name, _ in result.errors)
    }
    summary = (
        f"One small detector, {config.steps} steps of the same batch whatever it learns from, {config.seeds} seeds, "
        f"tested on {result.test_faces} faces that nothing was trained on."
    )
    if against := list(dict.fromkeys(f"{arm} against {other}" for arm, other, _ in result.gains)):
        summary += f" Compared: {'; '.join(against)}."
    errors = Section("Errors")
    curve = plots.study_curves(curves)
    errors.add("curves.png", curve, "Mean NME and 95 % confidence interval over seeds and test faces.")
    write_bytes(config.out / "curves.png", curve)
    page = page_of("Does generated data help?", summary, answer(result), lines, [errors], about)
    write_bytes(config.out / "index.html", page)
