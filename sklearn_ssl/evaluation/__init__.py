"""Judge representations of tables: probes, few labels, transfer, geometry, factors, figures.

Everything here works through public ``fit`` and ``transform`` alone, so that it judges PCA as
fairly as the transformers of this library. Begin with :func:`compare_objectives`.
"""

from sklearn_ssl.evaluation._probes import probe_score, transfer_score

__all__ = ["probe_score", "transfer_score"]
