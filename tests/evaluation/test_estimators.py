"""Seeds of estimators."""

import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from sklearn_ssl.evaluation._estimators import check_estimators, seeded_clone


def test_seeds_fill_what_is_left_at_none_at_any_depth():
    pipeline = make_pipeline(PCA(random_state=3), RandomForestClassifier())
    one, again, other = (seeded_clone(pipeline, seed) for seed in (0, 0, 1))
    assert one[0].random_state == 3
    assert one[1].random_state == again[1].random_state != other[1].random_state
    assert pipeline[1].random_state is None


@pytest.mark.parametrize("name", [1, None, ("PCA", 2)])
def test_names_are_strings(name):
    with pytest.raises(TypeError, match="named by strings; got the name"):
        check_estimators({name: PCA(2)})
