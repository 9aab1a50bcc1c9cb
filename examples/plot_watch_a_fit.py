"""Watch a fit: scores of every epoch, progress bars, an early end

scikit-learn 1.9 brought callbacks: objects that follow a fit. The three transformers and the
fine-tuned estimators announce their stages and epochs to them. The epochs of `fit_stream` are
announced without rows, because a stream is never in memory as a whole; `partial_fit` announces one
epoch per call. The interface is experimental in scikit-learn, so what is shown here may change with
it. Older versions have no `set_callbacks`.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_ssl import FineTunedClassifier, MaskedFeaturePredictor

max_iter = 20

# %% tags=["script"]
import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="Follow a fit with the callbacks of scikit-learn.")
parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
parser.add_argument("--short", action="store_true", help="fewer epochs")
options = parser.parse_args()
if options.short:
    max_iter = 3

# %% [markdown]
# ## A score after every epoch
#
# `ScoringMonitor` is a callback of scikit-learn. After each epoch, it scores the estimator as it
# would be if the fit ended then. It scores nothing if the fit gets no `y`. For this reason alone,
# `y` is passed here; the transformer ignores it.

# %%
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def score_all(estimator, X, y):
    return {"training rows": estimator.score(X), "held-out rows": estimator.score(X_test)}


monitor = ScoringMonitor(scoring=score_all)
predictor = MaskedFeaturePredictor(max_iter=max_iter, random_state=0)
predictor.set_callbacks(monitor).fit(X_train, y_train)
log = monitor.get_logs().data_as_pandas
epochs = log[log["task_name"] == "epoch"].set_index("task_id")[["training rows", "held-out rows"]]
print(epochs.iloc[[0, len(epochs) // 2, -1]].round(3).to_string())

# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ax.plot(epochs.index + 1, epochs, marker="o", label=epochs.columns)
ax.set(xlabel="Epoch", ylabel="Deviance explained", title="MaskedFeaturePredictor, epoch by epoch")
ax.legend()
ax.grid(alpha=0.3)

# %% [markdown]
# ## A callback of one's own
#
# A callback has four methods. If `on_fit_task_end` returns True, no further epoch is made. The
# callback below prints the tasks of fine-tuning and ends each stage after two epochs. With
# `max_propagation_depth`, an estimator passes the callback on to the estimators that it fits.


# %%
class TwoEpochs:
    max_propagation_depth = None

    def setup(self, estimator, context):
        print(f"begin: {context.estimator_name}")

    def teardown(self, estimator, context):
        print(f"end: {context.estimator_name}")

    def on_fit_task_begin(self, estimator, context):
        if context.task_name not in ("epoch", "fold"):
            print(f"    {context.estimator_name}: {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id == 1


classifier = FineTunedClassifier(predictor, mode="full", max_iter=max_iter, random_state=0)
classifier.set_callbacks(TwoEpochs()).fit(X_train[:300], y_train[:300])
print(f"{len(classifier.loss_curve_)} epochs of fine-tuning")

# %% [markdown]
# `sklearn.callback.ProgressBar()` is set in the same way, and draws a bar for every stage in a
# terminal or a notebook; it needs the package `rich`. A saved file holds no callbacks: call
# `set_callbacks()` without arguments before `persistence.save`.

# %% tags=["script"]
figure.savefig(options.output, dpi=120)
print(f"Figure: {options.output}")
