"""What the estimators that predict cells share: from a network's output back to a table."""

from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_ssl._network.layers import Batch
from sklearn_ssl._pretext.losses import cell_losses, deviance_explained, marginal_output
from sklearn_ssl._table.schema import N_RESERVED, Schema


class CellModelMixin:
    """For estimators whose ``_output(table)`` writes rows out as ``schema.width`` numbers."""

    _schema: Schema
    _table_encoder: Any
    _center: np.ndarray
    _scale: np.ndarray
    _n_features_out: Any
    n_components: int

    def _output(self, table: Batch) -> Tensor:
        raise NotImplementedError

    def _apply_head(self, head: Any, embedding: Tensor) -> Tensor:
        with torch.no_grad():
            return head(embedding)

    def _last_layer(self, Z: Any) -> Tensor:
        """Embeddings as the user has them, in the network's own units again."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32, estimator=self, input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} features, but {type(self).__name__} returns embeddings of "
                f"{self._n_features_out} features."
            )
        last = slice(self.n_components)
        return torch.from_numpy(Z[:, last] * self._scale[last] + self._center[last])

    def _cell_losses(self, view: Batch, table: Batch) -> Tensor:
        return cell_losses(self._output(view), *table, self._schema)

    def _deviance_explained(
        self, losses: Tensor, table: Batch, mask: Tensor | None = None
    ) -> float:
        constant = marginal_output(*table, self._schema).expand(len(losses), -1)
        baseline = cell_losses(constant, *table, self._schema)
        if mask is not None:
            losses, baseline = losses[mask], baseline[mask]
        return deviance_explained(losses, baseline)

    def _decode(self, output: Tensor, index: Any = None) -> Any:
        """Rows of the original table from rows written out; reserved codes are never chosen."""
        schema = self._schema
        numeric = output[:, : schema.n_numeric].clone()
        binary = torch.tensor(schema.binary, dtype=torch.bool)
        numeric[:, binary] = numeric[:, binary].sigmoid()
        logits = output[:, schema.width - schema.n_codes :]
        codes = torch.zeros(len(output), schema.n_categorical, dtype=torch.int32)
        for feature, (start, size) in enumerate(
            zip(schema.offsets, schema.cardinalities, strict=True)
        ):
            named = logits[:, start + N_RESERVED : start + size]
            if named.shape[1]:
                codes[:, feature] = named.argmax(dim=1).to(torch.int32) + N_RESERVED
        return self._table_encoder.inverse_transform(numeric.numpy(), codes.numpy(), index)
