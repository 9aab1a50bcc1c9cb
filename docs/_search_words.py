"""Words that readers search for, by the page that answers them.

Each becomes an entry of the index on its page, which the search prefers to all other matches, so
the page is its first hit. ``check_search.py`` holds the search to this list once the pages are
built.
"""

WORDS = {
    "start": ["install", "installation", "pip", "CPU wheel", "versions"],
    "tutorial": ["getting started", "first steps"],
    "scaling": ["GPU", "CUDA", "cluster", "Dask", "Ray", "resume a fit"],
    "alternatives": ["TabPFN", "AutoGluon", "PyOD", "gradient boosting"],
    "guide/choosing": ["how many labels", "when does it help", "which objective"],
    "guide/evaluation": ["compare", "geometry"],
    "guide/extending": ["own network", "own encoder", "custom loss", "transformer network"],
    "guide/fine_tuning": ["fine-tune", "few labels", "semi-supervised", "unlabeled rows"],
    "guide/files_and_streams": ["stream", "larger than memory", "Parquet", "partial fit"],
    "guide/glossary": ["glossary", "terms"],
    "guide/imputing": ["impute", "imputation", "missing values", "fill in missing cells"],
    "guide/maps": ["visualize", "visualization", "plot", "t-SNE", "UMAP", "map"],
    "guide/model_selection": ["grid search", "GridSearchCV", "hyperparameters", "tuning"],
    "guide/outliers": ["anomaly", "anomaly detection", "outlier", "outlier detection"],
    "guide/selecting_rows": ["active learning", "which rows to label"],
    "guide/serving": ["save", "deploy", "pickle", "serve", "ONNX"],
    "guide/similar_rows": ["nearest neighbors", "clusters", "clustering", "duplicates"],
    "guide/tables": ["datetime", "date columns", "dates", "categories", "text columns"],
    "gallery/watch_a_fit": ["callbacks", "progress bar", "set_callbacks"],
}
