"""Models of an evaluation are small: their threads would wait for each other."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl.evaluation import compare_objectives
from sklearn_ssl.evaluation._raw import MOST_CELLS_OF_ONE_THREAD, _threads_for

SMALL = DenoisingAutoencoder(
    hidden_layer_sizes=(4,), bottleneck_size=2, n_components=4, max_iter=1, random_state=0
)


def n_threads(api):
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == api}


class Recorder(LogisticRegression):
    """A probe that notes the threads of matrix products."""

    seen: list[set[int]] = []

    def fit(self, X, y):
        self.seen.append(n_threads("blas"))
        return super().fit(X, y)


def test_probes_have_one_thread_and_the_setting_of_the_user_returns():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    with threadpool_limits(2, user_api="blas"):
        compare_objectives(
            X,
            y,
            estimators={"denoising": SMALL},
            probe=Recorder(),
            cv=2,
            n_repeats=1,
            random_state=0,
        )
        assert n_threads("blas") == {2}
    assert Recorder.seen
    assert set().union(*Recorder.seen) == {1}


@pytest.mark.parametrize(("n_cells", "expected"), [(10, 1), (MOST_CELLS_OF_ONE_THREAD + 1, 2)])
def test_boosting_reads_small_tables_in_one_thread(n_cells, expected):
    X = np.broadcast_to(0.0, (n_cells, 1))
    with threadpool_limits(2, user_api="openmp"):
        with _threads_for(X):
            assert n_threads("openmp") == {expected}
        assert n_threads("openmp") == {2}
