"""Scikit-learn's callbacks follow the fits of transformers and fine-tuned estimators."""

import numpy as np
import pytest
from embedders import ESTIMATORS
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ssl import DenoisingAutoencoder, FineTunedClassifier, FineTunedRegressor
from sklearn_ssl.persistence import save

SMALL = {"hidden_layer_sizes": (8,), "bottleneck_size": 4, "max_iter": 3, "random_state": 0}


sklearn_callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")


class Recorder:
    """Write down what is announced, ask for the fitted estimators, and end a fit if wanted."""

    def __init__(self, last_epoch=None):
        self.last_epoch = last_epoch
        self.begun, self.ended, self.fitted, self.data = [], [], [], []
        self.is_torn_down = False

    def setup(self, estimator, context):
        self.is_torn_down = False

    def teardown(self, estimator, context):
        self.is_torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.estimator_name, context.task_name))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.ended.append((context.estimator_name, context.task_name))
        self.data.append((X, y, metadata))
        if fitted_estimator is not None:
            self.fitted.append((context.task_name, fitted_estimator))
        return context.task_name == "epoch" and context.task_id == self.last_epoch


class Propagated(Recorder):
    """A recorder that meta-estimators hand on to what they fit."""

    max_propagation_depth = None


class Failing(Recorder):
    def on_fit_task_end(self, estimator, context):
        raise OSError("The disk is full.")


def last_of(recorder, task):
    return [fitted for name, fitted in recorder.fitted if name == task][-1]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X[::3], y[::3]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_transformer_announces_its_epochs(estimator, iris):
    recorder = Recorder()
    fitted = estimator(**SMALL).set_callbacks(recorder).fit(*iris)
    name = estimator.__name__
    assert recorder.begun == [(name, "fit"), *[(name, "epoch")] * fitted.n_iter_]
    assert recorder.ended == [*[(name, "epoch")] * fitted.n_iter_, (name, "fit")]
    assert all(X is iris[0] and y is iris[1] for X, y, _ in recorder.data)
    assert recorder.is_torn_down


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("output", ["components", "layers", "bottleneck"])
def test_the_transformer_of_the_last_epoch_is_the_fitted_one(estimator, output, iris, one_thread):
    recorder = Recorder()
    alone = estimator(**SMALL, output=output).fit(iris[0])
    followed = estimator(**SMALL, output=output).set_callbacks(recorder).fit(iris[0])
    first, last = recorder.fitted[0][1], last_of(recorder, "epoch")
    expected = alone.transform(iris[0])
    assert np.array_equal(followed.transform(iris[0]), expected)
    assert np.array_equal(last.transform(iris[0]), expected)
    assert not np.array_equal(first.transform(iris[0]), expected)
    assert last.get_feature_names_out().tolist() == alone.get_feature_names_out().tolist()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_callback_ends_a_fit(estimator, iris):
    fitted = estimator(**SMALL).set_callbacks(Recorder(last_epoch=1)).fit(iris[0])
    assert fitted.n_iter_ == 2


def test_a_resumed_fit_announces_the_epochs_that_were_left(iris, tmp_path):
    transformer = DenoisingAutoencoder(**SMALL, checkpoint_dir=tmp_path)
    transformer.set_callbacks(Recorder(last_epoch=0)).fit(iris[0])
    recorder = Recorder()
    assert transformer.set_callbacks(recorder).fit(iris[0]).n_iter_ == 3
    assert [task for _, task in recorder.begun] == ["fit", "epoch", "epoch"]


def parts_of(X):
    """A stream of two parts, which can be read in every epoch."""
    return lambda: (X[start : start + 75] for start in (0, 75))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_stream_announces_its_epochs(estimator, iris, one_thread):
    X = iris[0]
    recorder = Recorder()
    alone = estimator(**SMALL).fit_stream(parts_of(X), buffer_size=75)
    followed = estimator(**SMALL).set_callbacks(recorder)
    followed.fit_stream(parts_of(X), buffer_size=75)
    name = estimator.__name__
    assert recorder.begun == [(name, "fit"), *[(name, "epoch")] * 3]
    assert recorder.ended == [*[(name, "epoch")] * 3, (name, "fit")]
    assert recorder.is_torn_down
    # No rows are shown, because a stream is never in memory as a whole.
    assert all(shown is None for shown, _, _ in recorder.data)
    first, last = recorder.fitted[0][1], last_of(recorder, "epoch")
    expected = alone.transform(X)
    assert np.array_equal(followed.transform(X), expected)
    assert np.array_equal(last.transform(X), expected)
    assert not np.array_equal(first.transform(X), expected)


def test_a_callback_ends_a_stream_and_a_checkpoint_continues_it(iris, tmp_path):
    transformer = DenoisingAutoencoder(**SMALL, checkpoint_dir=tmp_path)
    transformer.set_callbacks(Recorder(last_epoch=0)).fit_stream(parts_of(iris[0]))
    assert transformer.n_iter_ == 1
    recorder = Recorder()
    transformer.set_callbacks(recorder).fit_stream(parts_of(iris[0]))
    assert transformer.n_iter_ == 3
    assert [task for _, task in recorder.begun] == ["fit", "epoch", "epoch"]


def test_every_partial_fit_announces_one_epoch(iris):
    X = iris[0]
    recorder = Recorder()
    transformer = DenoisingAutoencoder(**SMALL).set_callbacks(recorder)
    for part in (X[::2], X[1::2]):
        recorder.begun.clear()
        transformer.partial_fit(part)
        assert [task for _, task in recorder.begun] == ["fit", "epoch"]
        assert recorder.data[-1][0] is part
        assert recorder.is_torn_down
        # Its readout, too, is that of the estimator that goes on.
        expected = transformer.transform(X)
        assert np.array_equal(last_of(recorder, "epoch").transform(X), expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_stream"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_fit_that_fails_is_torn_down_and_changes_nothing(estimator, method, iris):
    failing = Failing()
    transformer = estimator(**SMALL).set_callbacks(failing)
    before = set(vars(transformer))
    rows = [iris[0]] if method == "fit_stream" else iris[0]
    with pytest.raises(OSError, match="disk is full"):
        getattr(transformer, method)(rows)
    assert failing.is_torn_down
    assert set(vars(transformer)) == before


SLOW_EMBEDDERS = [pytest.param(estimator, marks=pytest.mark.slow) for estimator in ESTIMATORS[1:]]


@pytest.mark.parametrize("transformer", [ESTIMATORS[0], *SLOW_EMBEDDERS])
def test_fine_tuning_announces_its_stages(transformer, iris):
    X, y = iris
    recorder = Propagated()
    model = FineTunedClassifier(transformer(**SMALL), mode="full", max_iter=2, random_state=0)
    model.set_callbacks(recorder).fit(X, y)
    ours, theirs = "FineTunedClassifier", transformer.__name__
    n_folds = recorder.begun.count((ours, "fold"))
    assert n_folds > 1
    assert model.best_iter_
    assert recorder.begun == [
        (ours, "fit"),
        (theirs, "fit"),
        *[(theirs, "epoch")] * 3,
        (ours, "choose-epochs"),
        *[(ours, "fold"), (ours, "epoch"), (ours, "epoch")] * n_folds,
        (ours, "fine-tune"),
        *[(ours, "epoch")] * model.best_iter_,
    ]
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.is_torn_down
    # What was handed on to the transformer is taken back.
    assert not hasattr(model.transformer_, "_skl_callbacks")


@pytest.mark.parametrize(
    "estimator", [FineTunedClassifier, pytest.param(FineTunedRegressor, marks=pytest.mark.slow)]
)
def test_the_model_of_the_last_epoch_is_the_fitted_one(estimator, one_thread):
    load = load_iris if estimator is FineTunedClassifier else load_diabetes
    X, y = (part[::3] for part in load(return_X_y=True))
    recorder = Recorder()
    settings = {"mode": "full", "early_stopping": False, "max_iter": 2, "random_state": 0}
    alone = estimator(DenoisingAutoencoder(**SMALL), **settings).fit(X, y)
    followed = estimator(DenoisingAutoencoder(**SMALL), **settings)
    followed.set_callbacks(recorder).fit(X, y)
    method = "predict_proba" if estimator is FineTunedClassifier else "predict"
    expected = getattr(alone, method)(X)
    epochs = [getattr(fitted, method)(X) for task, fitted in recorder.fitted if task == "epoch"]
    assert np.array_equal(getattr(followed, method)(X), expected)
    assert np.array_equal(epochs[-1], expected)
    assert not np.array_equal(epochs[0], expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_callbacks_get_the_labeled_rows_and_their_weights(iris, weighted):
    X, y = iris
    few = np.where(np.arange(len(y)) % 5, -1, y)
    weight = np.linspace(1, 2, len(y)) if weighted else None
    recorder = Recorder()
    model = FineTunedClassifier(DenoisingAutoencoder(**SMALL), mode="frozen", random_state=0)
    model.set_callbacks(recorder).fit(X, few, sample_weight=weight)
    shown, labels, metadata = recorder.data[-1]
    assert np.array_equal(shown, X[::5])
    assert np.array_equal(labels, y[::5])
    if weighted:
        assert np.array_equal(metadata["sample_weight"], weight[::5])
    else:
        assert metadata is None


def test_regressors_show_the_rows_with_a_target():
    X, y = load_diabetes(return_X_y=True)
    few = np.where(np.arange(len(y)) % 4, np.nan, y)
    recorder = Recorder()
    model = FineTunedRegressor(DenoisingAutoencoder(**SMALL), mode="frozen", random_state=0)
    model.set_callbacks(recorder).fit(X, few)
    assert np.array_equal(recorder.data[-1][1], y[::4])


def test_a_monitor_scores_every_epoch(iris):
    monitor = sklearn_callback.ScoringMonitor(scoring=lambda model, X, y: {"score": model.score(X)})
    transformer = DenoisingAutoencoder(**SMALL).set_callbacks(monitor).fit(*iris)
    log = monitor.get_logs().data_as_pandas
    assert log["task_name"].tolist() == ["fit", "epoch", "epoch", "epoch"]
    assert log["score"].iloc[0] == log["score"].iloc[-1] == transformer.score(iris[0])


def test_a_monitor_scores_nothing_without_labels(iris):
    """Scikit-learn's monitor asks for a ``y``, even if its scoring does not."""
    monitor = sklearn_callback.ScoringMonitor(scoring=lambda model, X, y: {"score": model.score(X)})
    DenoisingAutoencoder(**SMALL).set_callbacks(monitor).fit(iris[0])
    assert "score" not in monitor.get_logs().data_as_pandas


def test_a_pipeline_hands_its_callbacks_on(iris):
    recorder = Propagated()
    model = make_pipeline(DenoisingAutoencoder(**SMALL), LogisticRegression(max_iter=500))
    model.set_callbacks(recorder).fit(*iris)
    assert recorder.begun.count(("DenoisingAutoencoder", "epoch")) == 3
    assert sorted(recorder.begun) == sorted(recorder.ended)


def test_a_cached_pretraining_is_found_again_with_callbacks(iris, tmp_path):
    model = FineTunedClassifier(
        DenoisingAutoencoder(**SMALL), mode="frozen", memory=str(tmp_path), random_state=0
    )
    epoch = ("DenoisingAutoencoder", "epoch")
    recorders = [Propagated(), Propagated()]
    for recorder in recorders:
        clone(model).set_callbacks(recorder).fit(*iris)
    assert [recorder.begun.count(epoch) for recorder in recorders] == [3, 0]


def test_a_file_holds_no_callbacks(iris, tmp_path):
    transformer = DenoisingAutoencoder(**SMALL).set_callbacks(Recorder()).fit(iris[0])
    with pytest.raises(ValueError, match=r"set_callbacks\(\)"):
        save(transformer, tmp_path / "iris.safetensors")
    save(transformer.set_callbacks(), tmp_path / "iris.safetensors")


def test_a_progress_bar_follows_the_epochs(iris, capsys):
    pytest.importorskip("rich")
    bar = sklearn_callback.ProgressBar()
    DenoisingAutoencoder(**SMALL).set_callbacks(bar).fit(iris[0])
    assert "DenoisingAutoencoder - fit" in capsys.readouterr().out
