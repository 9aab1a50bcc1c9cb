"""One estimator on one split: pretrained, then read through a probe or by its own prediction."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import cast

import numpy as np
from sklearn.metrics import check_scoring

from sklearn_ssl._compat import safe_indexing
from sklearn_ssl._marks import Labels
from sklearn_ssl._table.types import TableLike
from sklearn_ssl.evaluation._estimators import embed, is_supervised, pretrain, seeded_clone
from sklearn_ssl.evaluation._probes import Probe
from sklearn_ssl.evaluation._raw import RAW, raw_features
from sklearn_ssl.evaluation._splits import LabeledTable, Split, hide_labels
from sklearn_ssl.evaluation._types import Model, RowNumbers, Scoring, Transformer


@dataclass(frozen=True)
class Judged:
    """An estimator to be judged.

    Attributes
    ----------
    name : str
        Its name in tables and figures.

    estimator : estimator
        A transformer, or one that predicts by itself.

    probe : Probe
        What reads a transformer's features.

    predicts : bool
        Whether the estimator predicts by itself, without a probe.

    sees_unlabeled : bool
        Whether an estimator that predicts is fitted on the unlabeled rows, too.
    """

    name: str
    estimator: Transformer | Model
    probe: Probe
    predicts: bool = False
    sees_unlabeled: bool = False

    @property
    def transformer(self) -> Transformer:
        """The estimator, if it does not predict."""
        return cast(Transformer, self.estimator)

    @property
    def model(self) -> Model:
        """The estimator, if it predicts."""
        return cast(Model, self.estimator)


@dataclass(frozen=True)
class Reader:
    """What learns from labels, and how it sees rows.

    Attributes
    ----------
    model : estimator
        The probe, or an estimator that predicts by itself.

    see : callable
        From row numbers to what the model is given.

    sees_unlabeled : bool
        Whether the model is fitted on all rows to pretrain on, most of them without a label.
    """

    model: Model
    see: Callable[[RowNumbers], TableLike]
    sees_unlabeled: bool = False


def judge(
    named: Mapping[str, Transformer | Model], probe: Probe, semi_supervised: Collection[str] = ()
) -> list[Judged]:
    """Estimators of the user, each with the probe that they share."""
    return [
        Judged(name, estimator, probe, is_supervised(estimator), name in semi_supervised)
        for name, estimator in named.items()
    ]


def judge_raw(X: TableLike, probe: Probe) -> Judged:
    """The raw features behind the same probe, which need no second standardization."""
    return Judged(RAW, raw_features(X), probe.as_it_is())


def make_reader(judged: Judged, table: LabeledTable, split: Split, seed: int) -> Reader:
    """Pretrain a transformer on the rows that the split allows; leave others as they are."""
    if judged.predicts:
        return Reader(
            judged.model, lambda rows: safe_indexing(table.X, rows), judged.sees_unlabeled
        )
    transformer = judged.probe.prepare(judged.transformer)
    frozen = pretrain(transformer, table.X, split.pretrain, seed)
    return reader_of(frozen, table, judged.probe)


def reader_of(frozen: Transformer, table: LabeledTable, probe: Probe) -> Reader:
    """A probe on the features of a transformer that is fitted already."""
    return Reader(probe.model, lambda rows: embed(frozen, table.X, rows))


def fit_reader(
    reader: Reader, table: LabeledTable, split: Split, labeled: RowNumbers, seed: int
) -> Model:
    """Fit a clone of the model on labeled rows, and on unlabeled ones if it is to see them."""
    if reader.sees_unlabeled:
        rows = split.pretrain
        y = hide_labels(table.target, rows, labeled)
    else:
        rows = labeled
        y = table.target.of(labeled)
    model = seeded_clone(reader.model, seed)
    return model.fit(reader.see(rows), y)


def score_of(fitted: Model, rows: TableLike, y: Labels, scoring: Scoring) -> float:
    """Score of a fitted model on test rows."""
    # Without a scoring, it is the score method of the model itself.
    scorer = check_scoring(fitted, scoring=scoring)
    score = scorer(fitted, rows, y)
    # Arrays of one number are numbers, too, as they are for scikit-learn.
    if hasattr(score, "item") and np.size(score) == 1:
        score = score.item()
    if not isinstance(score, Real):
        raise ValueError(
            f"scoring must return a number; got {score!r} (type {type(score).__name__}). Of "
            "several measures, pass one at a time."
        )
    return float(score)


def score_on_split(
    judged: Judged, table: LabeledTable, split: Split, scoring: Scoring, seed: int
) -> float:
    """Pretrain, fit the probe on the labeled training rows, and score it on the test rows."""
    reader = make_reader(judged, table, split, seed)
    return score_reader(reader, table, split, scoring, seed)


def score_reader(
    reader: Reader, table: LabeledTable, split: Split, scoring: Scoring, seed: int
) -> float:
    """Fit on the labeled training rows and score on the test rows."""
    fitted = fit_reader(reader, table, split, split.train, seed)
    test = reader.see(split.test)
    y_test = table.target.of(split.test)
    return score_of(fitted, test, y_test, scoring)


def remember(reader: Reader, split: Split) -> Reader:
    """Embed the training rows once, for a reader that is fitted on many draws of them."""
    if reader.sees_unlabeled:
        return reader
    # Rows are sorted, because they are looked up by bisection.
    known = np.sort(split.train)
    seen = reader.see(known)

    def see(rows: RowNumbers) -> TableLike:
        places = np.searchsorted(known, rows)
        # A row beyond the last one gets a place that does not exist; any other place will do,
        # since the rows are compared there.
        is_known = np.array_equal(known[places % len(known)], rows)
        if not is_known:
            return reader.see(rows)
        again: TableLike = safe_indexing(seen, places)
        return again

    return Reader(reader.model, see)
