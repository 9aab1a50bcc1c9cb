"""The vocabulary of an encoded table: what its columns stand for.

An encoded table is a pair ``(numeric, codes)``. ``numeric`` holds one float per numeric feature,
NaN if the cell is missing; ``codes`` holds one integer per categorical feature. A cell of the
table is one entry of one of the two, or several of ``numeric`` if it is a date; whatever corrupts a
table moves a whole cell at a time.
"""

from dataclasses import dataclass
from itertools import accumulate, groupby

MISSING = 0
"""Code of a missing category."""

INFREQUENT = 1
"""Code that rare categories share with those never seen while fitting."""

N_RESERVED = 2
"""Codes below this one are not the name of a category."""


@dataclass(frozen=True)
class Schema:
    """Features of an encoded table, numeric ones first.

    Parameters
    ----------
    binary : tuple of bool of length n_numeric
        Numeric features that only take the values 0 and 1.

    nullable : tuple of bool of length n_numeric
        Numeric features whose missingness is an input and a target of the network.

    cardinalities : tuple of int of length n_categorical
        Number of codes of each categorical feature, the reserved ones included, in ascending
        order, so that features of equal cardinality stand side by side.

    leads : tuple of int of length n_features, or ()
        For each feature the first one of its column of the table; numeric features come first.
        Empty if every column has a single feature.
    """

    binary: tuple[bool, ...]
    nullable: tuple[bool, ...]
    cardinalities: tuple[int, ...]
    leads: tuple[int, ...] = ()

    @property
    def n_numeric(self) -> int:
        return len(self.binary)

    @property
    def n_categorical(self) -> int:
        return len(self.cardinalities)

    @property
    def n_features(self) -> int:
        return self.n_numeric + self.n_categorical

    @property
    def n_codes(self) -> int:
        return sum(self.cardinalities)

    @property
    def width(self) -> int:
        """Width of a row written out: values, missingness of the nullable ones, one-hot codes."""
        return self.n_numeric + sum(self.nullable) + self.n_codes

    @property
    def offsets(self) -> tuple[int, ...]:
        """Position of the first code of each categorical feature among all codes."""
        return (0, *accumulate(self.cardinalities))[: self.n_categorical]

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Pairs ``(cardinality, n_features)`` of neighbors that share a cardinality."""
        runs = []
        for size, neighbors in groupby(self.cardinalities):
            runs.append((size, len(list(neighbors))))
        return tuple(runs)
