"""The one training loop: a pretext task and an encoded table in, trained weights out."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit  # noqa: F401  (documents the extension point below)
from skorch.helper import predefined_split
from torch import Tensor, nn
from tqdm import tqdm
