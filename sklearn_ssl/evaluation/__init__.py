"""Judge representations of tables: probes, few labels, transfer, geometry, factors, figures.

Everything here works through public ``fit`` and ``transform`` alone, so that it judges PCA as
fairly as the transformers of this library. Begin with :func:`compare_objectives`.
"""

from sklearn_ssl.evaluation._comparison import ObjectiveComparison, compare_objectives
from sklearn_ssl.evaluation._disentangling import dci, mutual_information_gap
from sklearn_ssl.evaluation._embedding_display import EmbeddingDisplay
from sklearn_ssl.evaluation._factors import make_factors_table
from sklearn_ssl.evaluation._geometry import (
    alignment,
    effective_rank,
    linear_cka,
    neighborhood_preservation,
    uniformity,
)
from sklearn_ssl.evaluation._label_efficiency import label_efficiency_curve
from sklearn_ssl.evaluation._label_efficiency_display import LabelEfficiencyDisplay
from sklearn_ssl.evaluation._labels_saved import labels_saved
from sklearn_ssl.evaluation._probe_scores import probe_score, transfer_score
from sklearn_ssl.evaluation._report import RepresentationReport
from sklearn_ssl.evaluation._training_curve import TrainingCurveDisplay

__all__ = [
    "EmbeddingDisplay",
    "LabelEfficiencyDisplay",
    "ObjectiveComparison",
    "RepresentationReport",
    "TrainingCurveDisplay",
    "alignment",
    "compare_objectives",
    "dci",
    "effective_rank",
    "label_efficiency_curve",
    "labels_saved",
    "linear_cka",
    "make_factors_table",
    "mutual_information_gap",
    "neighborhood_preservation",
    "probe_score",
    "transfer_score",
    "uniformity",
]
