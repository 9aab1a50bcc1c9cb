"""Colors, markers and axes that all figures share."""

from collections.abc import Sequence
from itertools import cycle, islice

from sklearn_ssl.evaluation._raw import RAW
from sklearn_ssl.evaluation._types import Axes, Look

# Okabe and Ito's colors, distinguishable with any color vision; yellow is too pale for lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# As many markers as have no common divisor with the colors, so that pairs repeat late.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GRAY = "#767676"


def styles(n: int) -> list[Look]:
    """Pairs of a color and a marker, all different up to 56 of them."""
    return list(islice(zip(cycle(COLORS), cycle(MARKERS), strict=False), n))


def named_styles(names: Sequence[str]) -> dict[str, Look]:
    """A color and a marker by name; raw features are gray, so that they look like a reference."""
    others = iter(styles(len(names)))
    return {name: (GRAY, "o") if name == RAW else next(others) for name in names}


def make_axes(ax: "Axes | None") -> Axes:
    """The axes given, or those of a new figure."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    return ax


def tidy(ax: Axes) -> None:
    """Leave out lines that carry no data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="small")
