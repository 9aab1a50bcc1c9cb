"""Orders of rows of which every beginning is stratified."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_ssl._marks import Labels


def alternating(labels: Labels) -> npt.NDArray[np.intp]:
    """Order rows so that every beginning holds the classes in about their proportions.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Classes, none of them missing. Rows of a class keep their order.

    Returns
    -------
    order : ndarray of shape (n_rows,)
        Row numbers. One row of each class comes first; then the classes alternate.
    """
    codes, _ = pd.factorize(labels)
    place_in_class = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    size_of_class = np.bincount(codes)[codes]
    # The middle of a row's place: a class of three rows is due at one, three and five sixths.
    progress = (place_in_class + 0.5) / size_of_class
    is_later = place_in_class > 0
    # lexsort sorts by its last key first.
    return np.lexsort((progress, is_later))
