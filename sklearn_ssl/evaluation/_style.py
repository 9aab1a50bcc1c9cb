"""Colors, markers and axes that all figures share."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING

from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._types import Axes, Look

if TYPE_CHECKING:
    from matplotlib.legend import Legend

# Okabe and Ito's colors, distinguishable with any color vision; yellow is too pale for lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# As many markers as have no common divisor with the colors, so that pairs repeat late.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GRAY = "#767676"


def styles(n: int) -> list[Look]:
    """Pairs of a color and a marker, all different up to 56 of them."""
    pairs = zip(cycle(COLORS), cycle(MARKERS), strict=False)
    return list(islice(pairs, n))


def named_styles(names: Sequence[str]) -> dict[str, Look]:
    """A color and a marker by name; raw features are gray, so that they look like a reference."""
    others = iter(styles(len(names)))
    looks = {}
    for name in names:
        looks[name] = (GRAY, "o") if name == RAW else next(others)
    return looks


def make_axes(ax: "Axes | None") -> Axes:
    """The axes given, or those of a new figure."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    return ax


def legend_name(name: str) -> str:
    """A name that is shown: matplotlib leaves those that begin with _ out of legends."""
    return f" {name}" if name.startswith("_") else name


def without_math(legend: "Legend") -> None:
    """Show the names in a legend as they are: $ does not begin mathematics."""
    for text in legend.get_texts():
        text.set_parse_math(False)


def tidy(ax: Axes) -> None:
    """Leave out lines that carry no data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="small")
