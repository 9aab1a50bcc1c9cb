"""Files: bit-identical predictions, names and dtypes that survive, damage that is reported."""

import copy
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from embedders import BRIEF
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

import sklearn_ssl
from sklearn_ssl import (
    ContrastiveEmbedder,
    DenoisingAutoencoder,
    FineTunedClassifier,
    FineTunedRegressor,
    MaskedFeaturePredictor,
)
from sklearn_ssl._serialization.container import checksum
from sklearn_ssl.model_selection import LabeledRowsOnly
from sklearn_ssl.persistence import TRUSTED_TYPES, load, save


def test_parameters_set_after_a_fit_change_neither_the_model_nor_its_file(mixed, tmp_path):
    fitted = DenoisingAutoencoder(**BRIEF).fit(mixed)
    before = fitted.transform(mixed)
    fitted.set_params(n_components=5, output="layers", bottleneck_size=3, tied_weights=True)
    again = there_and_back(fitted, tmp_path)
    assert again.get_params() == fitted.get_params()
    for estimator in (fitted, again, copy.deepcopy(fitted)):
        assert (estimator.transform(mixed) == before).all()


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "größe": rng.normal(50, 10, n),
            "schwer": rng.standard_cauchy(n),
            "zahl 7": rng.integers(0, 9, n),
            "flag": rng.random(n) < 0.3,
            "Farbe": pd.Categorical(rng.choice(["rot", "grün"], n), ["rot", "grün", "blau"]),
            "stufe": pd.Categorical(rng.integers(1, 4, n), ordered=True),
            "город": rng.choice(["Köln", "Łódź", "東京"], n),
            "nullable": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "empty": np.nan,
        }
    )
    frame["objects"] = np.array(rng.choice(["x", "y"], n), dtype=object)
    frame["arrow"] = pd.array(rng.integers(0, 5, n), dtype="int64[pyarrow]")
    frame.loc[::7, "größe"] = np.nan
    frame.loc[::9, "Farbe"] = None
    return frame


def there_and_back(estimator, folder):
    path = folder / "Modell größe.safetensors"
    save(estimator, path)
    return load(path)


@pytest.mark.parametrize(
    "transformer",
    [
        DenoisingAutoencoder(**BRIEF, noise="mix", early_stopping=True),
        DenoisingAutoencoder(**BRIEF, tied_weights=True, noise_level=[0.1] * 12),
        ContrastiveEmbedder(**BRIEF, objective="vicreg"),
        MaskedFeaturePredictor(**BRIEF, output="bottleneck", passthrough=False),
    ],
)
def test_loaded_transformer_is_the_same_bit_by_bit(transformer, mixed, tmp_path):
    fitted = clone(transformer).fit(mixed)
    loaded = there_and_back(fitted, tmp_path)
    assert type(loaded) is type(fitted)
    assert repr(loaded.get_params()) == repr(fitted.get_params())
    assert loaded.transform(mixed).tobytes() == fitted.transform(mixed).tobytes()
    assert loaded.score(mixed) == fitted.score(mixed)
    assert loaded.loss_curve_ == fitted.loss_curve_
    if hasattr(fitted, "inverse_transform"):
        decoded = [m.inverse_transform(m.transform(mixed)) for m in (loaded, fitted)]
        pd.testing.assert_frame_equal(*decoded)
        assert decoded[0].columns.tolist() == mixed.columns.tolist()
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(mixed.iloc[:, 1:])


@pytest.mark.parametrize("fill_value", [0.0, 1.5, np.nan])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sparse_dtypes_survive(dtype, fill_value, tmp_path):
    cells = pd.Series(np.arange(30) % 3 / 2.0).astype(pd.SparseDtype(dtype, fill_value))
    X = pd.DataFrame({"sparse": cells, "row": np.arange(30.0)})
    fitted = MaskedFeaturePredictor(**BRIEF).fit(X)
    mask = np.ones(X.shape, dtype=bool)
    decoded = [m.predict_masked(X, mask) for m in (there_and_back(fitted, tmp_path), fitted)]
    pd.testing.assert_frame_equal(*decoded)


def test_integer_names_survive(mixed, tmp_path):
    numbered = mixed.set_axis(range(3, 3 + mixed.shape[1]), axis=1)
    fitted = DenoisingAutoencoder(**BRIEF, categorical_features=[4, 5, 6, 10]).fit(numbered)
    loaded = there_and_back(fitted, tmp_path)
    decoded = [m.inverse_transform(m.transform(numbered)) for m in (loaded, fitted)]
    pd.testing.assert_frame_equal(*decoded)
    assert decoded[0].columns.tolist() == list(range(3, 15))


def test_training_goes_on_after_load_as_if_nothing_had_happened(mixed, tmp_path):
    fitted = DenoisingAutoencoder(**BRIEF).partial_fit(mixed)
    loaded = there_and_back(fitted, tmp_path)
    # A town that appears later shares the code of the infrequent ones, before and after.
    later = mixed.assign(город="Berlin")
    for estimator in (fitted, loaded):
        estimator.partial_fit(later)
    assert loaded.transform(later).tobytes() == fitted.transform(later).tobytes()
    assert loaded.n_iter_ == 2
    warm = there_and_back(DenoisingAutoencoder(**BRIEF, warm_start=True).fit(mixed), tmp_path)
    before = warm.loss_curve_[-1]
    assert warm.set_params(max_iter=9).fit(mixed).loss_curve_[-1] < before


@pytest.mark.parametrize("labels", [[0, 1, 2], ["ä", "b", "c"], np.array(["x", "y", -1], object)])
@pytest.mark.slow
def test_loaded_classifier_is_the_same_bit_by_bit(labels, tmp_path):
    X, y = load_iris(return_X_y=True)
    fitted = FineTunedClassifier(
        DenoisingAutoencoder(**BRIEF),
        max_iter=2,
        class_weight={label: 2.0 for label in labels if label != -1},
        random_state=np.random.RandomState(1),
    ).fit(X, np.asarray(labels)[y])
    loaded = there_and_back(fitted, tmp_path)
    assert loaded.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert loaded.random_state.randint(9) == fitted.random_state.randint(9)
    assert clone(loaded).set_params(class_weight=None).fit(X, y).classes_.tolist() == [0, 1, 2]


def test_regressor_frozen_and_unfitted_ones(tmp_path):
    X, y = load_iris(return_X_y=True)
    frozen = FrozenEstimator(DenoisingAutoencoder(**BRIEF).fit(X))
    fitted = FineTunedRegressor(frozen, max_iter=2, random_state=0).fit(X, y)
    loaded = there_and_back(fitted, tmp_path)
    assert loaded.predict(X).tobytes() == fitted.predict(X).tobytes()
    assert (there_and_back(frozen, tmp_path).transform(X) == frozen.transform(X)).all()
    unfitted = ContrastiveEmbedder(temperature=float("inf"))
    assert there_and_back(unfitted, tmp_path).get_params() == unfitted.get_params()


@pytest.mark.slow
def test_saving_a_pipeline_states_the_lines_that_do(tmp_path, monkeypatch):
    skops = pytest.importorskip("skops")
    importlib.import_module("skops.io")
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(DenoisingAutoencoder(**BRIEF), LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="estimators of sklearn_ssl, not a Pipeline") as error:
        save(pipeline, tmp_path / "model.safetensors")
    dump, read = re.findall(r"skops\.io\.\w+\(.*?\)", str(error.value))
    names = {"estimator": pipeline, "skops": skops, "sklearn_ssl": sklearn_ssl}
    monkeypatch.chdir(tmp_path)
    exec(dump, names)
    loaded = eval(read, names)
    assert (loaded.predict_proba(X) == pipeline.predict_proba(X)).all()


@pytest.mark.slow
def test_pipeline_by_skops_with_the_types_to_trust():
    skops = pytest.importorskip("skops.io")
    X, y = load_iris(return_X_y=True, as_frame=True)
    for last in (
        make_pipeline(DenoisingAutoencoder(**BRIEF), LogisticRegression()),
        make_pipeline(FineTunedClassifier(MaskedFeaturePredictor(**BRIEF), max_iter=2)),
        make_pipeline(DenoisingAutoencoder(**BRIEF), LabeledRowsOnly(LogisticRegression())),
    ):
        content = skops.dumps(last.fit(X, y))
        loaded = skops.loads(content, trusted=TRUSTED_TYPES)
        assert loaded.predict_proba(X).tobytes() == last.predict_proba(X).tobytes()


class _Callback(Callback):
    pass


def test_pickle_and_copy_take_what_files_do_not(mixed, tmp_path):
    fitted = DenoisingAutoencoder(**BRIEF, callbacks=[_Callback()]).fit(mixed)
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert (other.transform(mixed) == fitted.transform(mixed)).all()
    with pytest.raises(ValueError, match=r"callbacks\.0 holds a value of type _Callback"):
        save(fitted, tmp_path / "m")
    with pytest.raises(ValueError, match="not a LogisticRegression"):
        save(LogisticRegression(), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_path_before_the_estimator_is_reported(as_path, tmp_path):
    path = as_path(tmp_path / "m")
    with pytest.raises(TypeError, match=r"save\(estimator, path\); got .*m'"):
        save(path, DenoisingAutoencoder())


@pytest.fixture
def saved(tmp_path):
    X, _ = load_iris(return_X_y=True)
    path = tmp_path / "model.safetensors"
    save(DenoisingAutoencoder(**BRIEF).fit(X), path)
    return path


def rewrite(path, change):
    """Change tensors and metadata, as a careful attacker or a bug would."""
    tensors = load_file(path)
    header = path.read_bytes()
    length = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + length])["__metadata__"]
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def drop_a_tensor(tensors, metadata):
    del tensors[next(iter(tensors))]


def change_a_tensor(tensors, metadata):
    next(iter(tensors.values())).flat[0] += 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_a_tensor, "lacks the tensors"),
        (change_a_tensor, "checksum does not fit"),
        (lambda t, m: m.update(version="3"), "version '3' of the format.*Upgrade sklearn_ssl"),
        (lambda t, m: m.update(version="1"), "version 1 of the format.*Fit the estimator again"),
        (lambda t, m: m.update(version="x"), "version 'x' of the format"),
        (lambda t, m: m.update(format="other"), "not written by"),
        (lambda t, m: m.update(estimator=m["estimator"].replace("swap", "zero")), "checksum"),
        (lambda t, m: m.update(estimator="{"), "header .* was altered"),
        (lambda t, m: m.clear(), "not written by"),
    ],
)
def test_damaged_and_foreign_files_are_refused(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(ValueError, match=message):
        load(saved)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_files_are_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="truncated, or no file of sklearn_ssl"):
        load(saved)
    with pytest.raises(FileNotFoundError):
        load(saved.with_name("other"))


@pytest.mark.parametrize(
    "document",
    [
        {"estimator": ["Popen", {"dict": []}, None]},
        {"estimator": ["LogisticRegression", {"dict": []}, None]},
        {"record": ["Popen", {"dict": []}]},
        {"reduce": ["os.system", "true"]},
        {"dtype": "nonsense"},
        [1, 2],
        7,
    ],
)
def test_no_other_class_comes_out_of_a_file_with_a_right_checksum(saved, document):
    def change(tensors, metadata):
        metadata["estimator"] = json.dumps(document)
        metadata["sha256"] = checksum(metadata["estimator"], tensors)

    rewrite(saved, change)
    with pytest.raises(ValueError, match=r"does not describe an estimator|holds no estimator"):
        load(saved)


def test_crash_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def crash(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        save(DenoisingAutoencoder(), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_missing_folder_is_named(tmp_path):
    path = tmp_path / "nowhere" / "file.safetensors"
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere' to write"):
        save(DenoisingAutoencoder(), path)


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        save(DenoisingAutoencoder(), tmp_path / "m")


@pytest.mark.slow
def test_loads_in_another_process(saved):
    X, _ = load_iris(return_X_y=True)
    code = (
        "import sys; from sklearn.datasets import load_iris; from sklearn_ssl.persistence import "
        "load; X, _ = load_iris(return_X_y=True); "
        "sys.stdout.buffer.write(load(sys.argv[1]).transform(X).tobytes())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, check=True)
    assert done.stdout == load(saved).transform(X).tobytes()
