"""Self-supervised representation learning for tables, as scikit-learn transformers."""
