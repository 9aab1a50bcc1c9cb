"""What a notebook shows of an estimator: scikit-learn's diagram and, once fitted, the losses."""

import math
from collections.abc import Callable
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 240, 64, 4

MOST_POINTS = 240
"""Points of a drawn curve, one per pixel."""


class DisplayMixin:
    """For estimators that keep ``loss_curve_`` and ``validation_scores_``.

    Notebooks ask for ``_repr_html_`` and ``_repr_mimebundle_``, the public hooks of IPython. The
    losses follow what scikit-learn returns there, which itself is left as it is.
    """

    @property
    def _repr_html_(self) -> Callable[[], str]:
        diagram: Callable[[], str] = super()._repr_html_  # type: ignore[misc]
        return lambda: diagram() + draw_losses(self)

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += draw_losses(self)
        return bundle


@dataclass(frozen=True)
class Curve:
    """Finite losses by epoch, and how they are drawn."""

    name: str
    color: str  # legible on white and on black
    dash: str
    points: list[tuple[int, float]]

    def __str__(self) -> str:
        _, first = self.points[0]
        _, last = self.points[-1]
        return f"{self.name} {first:.3g} to {last:.3g}"


def draw_losses(estimator: object) -> str:
    """Draw the losses of a fitted estimator as HTML; an empty string if it has none.

    The axis and the words take the color of the text around them, so that they suit dark pages.
    """
    curves = _curves(estimator)
    if not curves:
        return ""
    last = max(number for curve in curves for number, _ in curve.points)
    count = f"{last} epoch" if last == 1 else f"{last} epochs"
    label = f"Mean loss over {count}: {', '.join(map(str, curves))}"
    caption = " &nbsp; ".join(_legend(curve) for curve in curves)
    return (
        f'<figure class="sklearn-ssl-losses" style="margin:0.5em 0;font-size:0.85em">'
        f'<svg role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="display:block;max-width:100%">'
        f'<path d="M1 0V{HEIGHT - 1}H{WIDTH}" fill="none" stroke="currentColor" opacity="0.5"/>'
        f"{_lines(curves, last)}</svg>"
        f'<figcaption style="text-align:left">Loss over {count}: {caption}</figcaption></figure>'
    )


def _legend(curve: Curve) -> str:
    """A curve in words, after a piece of its line, which a screen reader passes over."""
    line = "┅" if curve.dash else "━"
    return f'<span style="color:{curve.color}" aria-hidden="true">{line}</span> {curve}'


def _curves(estimator: object) -> list[Curve]:
    losses = getattr(estimator, "loss_curve_", [])
    held_out = [-score for score in getattr(estimator, "validation_scores_", [])]
    # Fine-tuning also measures the held-out loss before its first epoch.
    first = 0 if hasattr(estimator, "best_iter_") else 1
    curves = [
        Curve("training rows", "#0072B2", "", _points(losses, 1)),
        Curve("held-out rows", "#D55E00", "4 3", _points(held_out, first)),
    ]
    return [curve for curve in curves if curve.points]


def _points(losses: list[float], first: int) -> list[tuple[int, float]]:
    numbered = enumerate(losses, first)
    finite = [(number, loss) for number, loss in numbered if math.isfinite(loss)]
    every = math.ceil(len(finite) / MOST_POINTS) or 1
    # Counted from the end, which is the point that readers look for.
    return finite[::-every][::-1]


def _lines(curves: list[Curve], last: int) -> str:
    """Polylines in a common scale; a curve of a single point is a dot by its round ends."""
    losses = [loss for curve in curves for _, loss in curve.points]
    low, high = min(losses), max(losses)
    # Losses that are all equal have no range to be divided by.
    span = (high - low) or 1.0
    lines = []
    for curve in curves:
        places = []
        for number, loss in curve.points:
            x = MARGIN + (WIDTH - 2 * MARGIN) * number / last
            # A curve without height lies at the top.
            y = MARGIN + (HEIGHT - 2 * MARGIN) * (high - loss) / span
            places.append((x, y))
        # The first point twice: a line has at least two.
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places[:1] + places)
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{curve.color}" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round" stroke-dasharray="{curve.dash}"/>'
        )
    return "".join(lines)
