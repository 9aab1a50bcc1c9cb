"""What documents consist of."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
"""What :func:`json.dumps` takes and :func:`json.loads` returns."""

Arrays: TypeAlias = dict[str, npt.NDArray[np.generic]]
"""Arrays by the names that a document refers to."""
