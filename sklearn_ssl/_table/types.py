"""What a table may be: at an entrance, and once it is checked."""

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp


class DataFrameLike(Protocol):
    """A table of Polars or Arrow, which converts itself."""

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a DataFrame of pandas."""


TableLike: TypeAlias = pd.DataFrame | DataFrameLike | npt.ArrayLike | sp.spmatrix | sp.sparray
"""What users pass as ``X``."""

Table: TypeAlias = pd.DataFrame | npt.NDArray[Any] | sp.csr_matrix
"""A checked table: it keeps the column types that it came with."""

FloatArray: TypeAlias = npt.NDArray[np.float64]
