"""Figures that others have published, with their sources."""

import json
from pathlib import Path

import pandas as pd

FESTA_IDS = {
    "cmc": 23,
    "credit_g": 31,
    "pendigits": 32,
    "diabetes": 37,
    "sick": 38,
    "spambase": 44,
    "vehicle": 54,
    "vowel": 307,
    "segment": 40984,
}
"""OpenML's ids of the tables at hand."""

FESTA_METHODS = {
    "lr": "raw",
    "catboost": "CatBoost",
    "sslmasking-lr": "masking",
    "sslscarf-lr": "SCARF",
    "sslshuffling-lr": "shuffling",
    "sslbinshuffling-lr": "range-limited",
}


def read_festa(folder: Path) -> pd.DataFrame:
    """Published accuracies of FeSTa, of shape (n_methods x 2 shots, n_tables).

    The rows of ``festa_result.csv`` carry no names of tables. Those of a method and number of
    labels per class are the tables of ``festa_dataset_id.json`` in ascending order of their ids;
    a method with fewer rows than there are tables cannot be read.
    """
    ids = sorted(map(int, json.loads((folder / "festa_dataset_id.json").read_text())))
    results = pd.read_csv(folder / "festa_result.csv", index_col=0)
    rows = {}
    for (method, shots), part in results.groupby(["model", "shots"]):
        if method not in FESTA_METHODS:
            continue
        if len(part) != len(ids):
            raise ValueError(f"{method} has {len(part)} rows in festa_result.csv, not {len(ids)}.")
        accuracy = part.sort_index()["acc"].set_axis(ids)
        rows[FESTA_METHODS[method], shots] = {n: accuracy[i] for n, i in FESTA_IDS.items()}
    return pd.DataFrame(rows).T.rename_axis(["method", "shots"])


TS3L_SOURCE = "README of github.com/Alcoholrithm/TabularS3L, commit fbb9627"
TS3L_METRICS = {"diabetes": "accuracy", "cmc": "balanced_accuracy", "abalone": "mse"}
TS3L = {
    0.1: {
        "XGBoost": (0.7325, 0.4763, 5.5739),
        "DAE": (0.7208, 0.4885, 5.6168),
        "VIME": (0.7182, 0.5087, 5.6637),
        "SubTab": (0.7312, 0.4930, 7.2418),
        "SCARF": (0.7416, 0.4710, 5.8888),
        "SwitchTab": (0.7156, 0.4886, 5.9907),
        "TabularBinning": (0.7450, 0.5061, 5.9346),
    },
    1.0: {
        "XGBoost": (0.7234, 0.5291, 4.8377),
        "DAE": (0.7390, 0.5500, 4.5758),
        "VIME": (0.7688, 0.5477, 4.5804),
        "SubTab": (0.7390, 0.5432, 6.3104),
        "SCARF": (0.7442, 0.5521, 4.4443),
        "SwitchTab": (0.7585, 0.5411, 4.7489),
        "TabularBinning": (0.7597, 0.5486, 4.5805),
    },
}
"""By share of labels: accuracy on diabetes, balanced accuracy on cmc, squared error on abalone."""

TALENT_SOURCE = "results/cls_bin.md and cls_multi.md of github.com/LAMDA-Tabular/TALENT, d441b0e"
TALENT_METHODS = ("LogReg", "kNN", "XGBoost", "CatBoost", "forest", "MLP")
TALENT = {
    "adult": (0.8249, 0.8407, 0.8693, 0.8731, 0.8623, 0.8519),
    "car": (0.9393, 0.8873, 0.9809, 0.9923, 0.9592, 0.9815),
    "cmc": (0.5390, 0.4915, 0.5614, 0.5702, 0.5582, 0.5589),
    "credit_g": (0.7000, 0.7250, 0.7683, 0.7767, 0.7670, 0.7330),
    "diabetes": (0.7597, 0.7143, 0.7645, 0.7775, 0.7727, 0.7606),
    "letter": (0.7612, 0.9507, 0.9643, 0.9709, 0.9103, 0.9745),
    "magic": (0.7976, 0.8465, 0.8763, 0.8787, 0.8690, 0.8724),
    "optdigits": (0.9671, 0.9795, 0.9824, 0.9824, 0.9801, 0.9825),
    "pendigits": (0.9441, 0.9909, 0.9414, 0.9913, 0.9879, 0.9950),
    "satimage": (0.8616, 0.9075, 0.9142, 0.9135, 0.9086, 0.8993),
    "segment": (0.8853, 0.8896, 0.9149, 0.9202, 0.9196, 0.9199),
    "spambase": (0.9229, 0.9175, 0.9523, 0.9467, 0.9330, 0.9386),
    "splice": (0.9467, 0.8683, 0.9617, 0.9529, 0.9551, 0.9341),
    "telco_churn": (0.7984, 0.7715, 0.8064, 0.8057, 0.7965, 0.7936),
    "vehicle": (0.8235, 0.7294, 0.7604, 0.7529, 0.7278, 0.8235),
    "waveform": (0.8630, 0.8510, 0.8541, 0.8596, 0.8510, 0.8557),
}
"""Accuracies; there the tables are called car-evaluation, credit-g, MagicTelescope,
Pima_Indians_Diabetes_Database, telco-customer-churn and waveform-5000."""

MNIST = {
    "logistic regression, raw": (0.8721, 1000),
    "XGBoost, raw": (0.8763, 1000),
    "MLP, raw": (0.8935, 1000),
    "VIME-self": (0.9037, 1000),
    "VIME": (0.9244, 1000),
    "SubTab": (0.9831, 60_000),
}
"""Accuracy and number of labels."""

MNIST_SOURCE = (
    "output of tutorial_vime.ipynb in github.com/jsyoon0823/VIME; SubTab: the abstract of "
    "arXiv 2110.04361. No figure of SCARF on these images was found."
)
