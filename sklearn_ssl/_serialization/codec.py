"""Fitted state as plain JSON and arrays, and back; no code runs on the way.

JSON's own values stand for themselves. Everything else is an object with one key, its kind::

    {"tuple": [...]}  {"dict": [[key, value], ...]}  {"array": "name of an array"}

Records, the small classes that the fitted state consists of, are known by name. They say by
``__getstate__`` and ``__setstate__`` what they consist of.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_ssl._serialization.cells import CELLS, decode_arrow, encode_arrow
from sklearn_ssl._serialization.types import JSON, Arrays

Array: TypeAlias = npt.NDArray[np.generic]
Dtype: TypeAlias = np.dtype[np.generic] | pd.api.extensions.ExtensionDtype
Storage: TypeAlias = Literal["python", "pyarrow"]
Closed: TypeAlias = Literal["left", "right", "both", "neither"]

State: TypeAlias = dict[str, object]
"""What ``__getstate__`` returns."""

Types: TypeAlias = type | UnionType | tuple[type, ...]
"""What :func:`isinstance` takes."""

DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What decoding raises if a document is none of ours."""


@dataclass
class Store:
    """Where encoding leaves arrays and decoding finds them, and the classes that may occur.

    Attributes
    ----------
    arrays : dict of ndarray
        By the names that documents refer to.

    records : mapping of type
        Small classes of fitted state, by name.

    estimators : mapping of type
        Estimators, by name.
    """

    arrays: Arrays = field(default_factory=dict)
    records: Mapping[str, type] = field(default_factory=dict)
    estimators: Mapping[str, type] = field(default_factory=dict)


def encode(value: object, store: Store, path: str) -> JSON:
    """Return ``value`` as JSON, and leave what it holds in arrays in ``store``.

    Parameters
    ----------
    value : object
        Plain values, arrays, tensors, dtypes, indices, records, and containers of these.

    store : Store
        Filled with arrays under names that begin with ``path``.

    path : str
        Where the value stands, for the names of arrays and for errors.

    Returns
    -------
    document : object
        What :func:`json.dumps` takes.

    Raises
    ------
    ValueError
        If a value is of another type.
    """
    if store.records.get(type(value).__name__) is type(value):
        return _encode_record(value, store, path)
    # The order of the encoders decides: NumPy's float64 and str_ are also Python's.
    for kind, encoder in ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value, store, path)
    if callable(value):
        raise ValueError(
            f"{path} is {getattr(value, '__qualname__', value)!r}, which is code, and files hold "
            "none. joblib.dump writes the estimator with a reference to where its code stands."
        )
    raise ValueError(
        f"{path} holds a value of type {type(value).__name__}, which cannot be written as plain "
        "data. Replace a parameter by plain values with set_params; remove scikit-learn's "
        "callbacks with set_callbacks(); convert a column with such cells, for instance with "
        ".astype(str), and fit again."
    )


def decode(document: JSON, store: Store) -> Any:
    """Return the value that ``encode`` was given; as with :func:`json.loads`, it can be anything.

    Documents come from files, which may have been altered. Whatever they hold, nothing but the
    constructors below is called; what these raise is among ``DAMAGE``.
    """
    if isinstance(document, list):
        return [decode(item, store) for item in document]
    if not isinstance(document, dict):
        return document
    ((kind, content),) = document.items()
    return DECODERS[kind](content, store)


def plain_state(attributes: Mapping[str, object], records: Mapping[str, type], name: str) -> State:
    """Attributes without classes of torch, which pickles and files of other libraries can hold.

    Parameters
    ----------
    attributes : mapping of str to object
        What an estimator has.

    records : mapping of type
        Classes of plain values, by name.

    name : str
        Of the estimator, for the names of arrays.
    """
    store = Store(records=records)
    try:
        document = encode(dict(attributes), store, name)
    except ValueError:
        # A callback, or an attribute of the user's, has no plain form; pickle may know one.
        return dict(attributes)
    return {"document": json.dumps(document), "arrays": store.arrays}


def attributes_of(state: State, records: Mapping[str, type]) -> State:
    """The attributes that ``plain_state`` was given."""
    if set(state) != {"document", "arrays"}:
        return state
    store = Store(cast(Arrays, state["arrays"]), records)
    attributes: State = decode(json.loads(cast(str, state["document"])), store)
    return attributes


def array_names(document: JSON) -> set[str]:
    """Names of the arrays that a document refers to."""
    if isinstance(document, list):
        return set().union(*map(array_names, document))
    if not isinstance(document, dict):
        return set()
    ((kind, content),) = document.items()
    if kind in {"array", "tensor"}:
        return {str(content)}
    return array_names(content)


def _encode_float(value: float, store: Store, path: str) -> JSON:
    # JSON has no infinity and no NaN.
    return value if math.isfinite(value) else {"float": str(value)}


def _encode_scalar(value: np.generic, store: Store, path: str) -> JSON:
    # Items of times lose their unit, so their counts are written.
    is_time = value.dtype.kind in "mM"
    item = int(value.view(np.int64)) if is_time else value.item()
    encoded = encode(item, store, path)
    return {"scalar": [value.dtype.str, encoded]}


def _decode_scalar(content: tuple[str, JSON], store: Store) -> np.generic:
    dtype = np.dtype(content[0])
    item = decode(content[1], store)
    if dtype.kind in "mM":
        item = np.array(item, dtype=np.int64).view(dtype)[()]
    scalar: np.generic = dtype.type(item)
    return scalar


def _encode_array(value: Array, store: Store, path: str) -> JSON:
    # Files hold numbers in the machine's order of bytes and in rows, whatever the memory has.
    dtype = value.dtype
    if dtype.kind in "biuf" and dtype.itemsize <= 8:
        store.arrays[path] = np.array(value, dtype=dtype.newbyteorder("="), order="C")
        return {"array": path}
    # Text, objects, times and long doubles are written cell by cell.
    cells = encode(value.ravel().tolist(), store, path)
    return {"cells": [dtype.str, list(value.shape), cells]}


def _decode_array(content: tuple[str, list[int], list[JSON]], store: Store) -> Array:
    dtype, shape, cells = content
    # The cells are set one by one: a list of tuples would become another dimension.
    flat = np.empty(len(cells), dtype=np.dtype(dtype))
    for position, cell in enumerate(cells):
        flat[position] = decode(cell, store)
    return flat.reshape(shape)


def _encode_tensor(value: torch.Tensor, store: Store, path: str) -> JSON:
    cells = value.detach().cpu().contiguous().numpy()
    # The array shares the memory of the tensor, which further training changes: hence a copy.
    store.arrays[path] = cells.copy()
    return {"tensor": path}


def _encode_dtype(value: Dtype, store: Store, path: str) -> JSON:
    if isinstance(value, pd.CategoricalDtype):
        categories = encode(value.categories, store, f"{path}.categories")
        return {"categorical": [categories, value.ordered]}
    if isinstance(value, pd.StringDtype):
        return {"string": [value.storage, value.na_value is pd.NA]}
    if isinstance(value, np.dtype):
        return {"numpy_dtype": value.str}
    if isinstance(value, pd.SparseDtype):
        # pandas reads the names of some of them only.
        subtype = encode(value.subtype, store, f"{path}.subtype")
        return {"sparse": [subtype, encode(value.fill_value, store, f"{path}.fill_value")]}
    if isinstance(value, pd.ArrowDtype) and (arrow := encode_arrow(value)) is not None:
        return {"arrow": arrow}
    name = str(value)
    # A name that does not lead back to its dtype would make a file that nobody can read.
    try:
        is_same = _decode_dtype(name, store) == value
    except TypeError:
        is_same = False
    if not is_same:
        raise ValueError(
            f"{path} is the dtype {value}, which has no name to save it by. Convert the column, "
            "for instance with .astype(str), and fit again."
        )
    return {"dtype": name}


def _decode_dtype(content: str, store: Store) -> Dtype:
    return pd.api.types.pandas_dtype(content)


def _decode_string(content: tuple[Storage, bool], store: Store) -> Dtype:
    storage, has_na = content
    # Before pandas 2.3 there is no argument for the missing value, and NA is the only one.
    return pd.StringDtype(storage) if has_na else pd.StringDtype(storage, na_value=np.nan)


def _decode_sparse(content: tuple[JSON, JSON], store: Store) -> Dtype:
    subtype, fill_value = (decode(part, store) for part in content)
    dtype: Dtype = pd.SparseDtype(subtype, fill_value)
    return dtype


def _encode_index(value: pd.Index, store: Store, path: str) -> JSON:
    cells = encode(list(value), store, path)
    if isinstance(value, pd.MultiIndex):
        names = encode(list(value.names), store, path)
        return {"multi_index": [cells, names]}
    dtype = encode(value.dtype, store, path)
    name = encode(value.name, store, path)
    return {"index": [cells, dtype, name]}


def _decode_index(content: tuple[JSON, JSON, JSON], store: Store) -> pd.Index:
    cells, dtype, name = (decode(part, store) for part in content)
    if not pd.api.types.is_object_dtype(dtype):
        index: pd.Index = pd.Index(cells, dtype=dtype, name=name)
        return index
    # The cells are set one by one: a list of tuples would become an index of several levels.
    objects = np.empty(len(cells), dtype=object)
    for position, cell in enumerate(cells):
        objects[position] = cell
    return pd.Index(objects, dtype=object, name=name, tupleize_cols=False)


def _decode_multi_index(content: tuple[JSON, JSON], store: Store) -> pd.MultiIndex:
    cells, names = (decode(part, store) for part in content)
    return pd.MultiIndex.from_tuples(cells, names=names)


def _encode_cell(value: object, store: Store, path: str) -> JSON:
    fitting = ((kind, cell) for kind, cell in CELLS.items() if isinstance(value, cell.known))
    kind, cell = next(fitting)
    return {kind: cell.write(value)}


def _encode_interval(value: pd.Interval, store: Store, path: str) -> JSON:
    left = encode(value.left, store, path)
    right = encode(value.right, store, path)
    return {"interval": [left, right, value.closed]}


def _decode_interval(content: tuple[JSON, JSON, Closed], store: Store) -> pd.Interval:
    left, right, closed = content
    return pd.Interval(decode(left, store), decode(right, store), closed)


def _reader(read: Callable[[Any], object]) -> "Decoder":
    """The decoder of a kind of cell, which needs no store; ``Any`` is what its writer returned."""
    return lambda content, store: read(content)


def _encode_record(value: object, store: Store, path: str) -> JSON:
    state = encode(value.__getstate__(), store, path)
    return {"record": [type(value).__name__, state]}


def _decode_record(content: tuple[str, JSON], store: Store) -> object:
    name, document = content
    # Without __init__, as when unpickling: the state says all that a record knows.
    record: object = object.__new__(store.records[name])
    state = decode(document, store)
    # A frozen dataclass has no setter, and needs none: its state is its dictionary.
    restore = getattr(record, "__setstate__", record.__dict__.update)
    restore(state)
    return record


def _encode_random_state(value: np.random.RandomState, store: Store, path: str) -> JSON:
    return {"random_state": encode(value.get_state(legacy=True), store, path)}


def _decode_random_state(content: JSON, store: Store) -> np.random.RandomState:
    generator = np.random.RandomState(0)
    generator.set_state(decode(content, store))
    return generator


def _encode_requests(value: MetadataRequest, store: Store, path: str) -> JSON:
    asked = {}
    for name, part in vars(value).items():
        if name != "owner" and part.requests:
            asked[name] = dict(part.requests)
    # Newer versions of scikit-learn keep the owner itself, older ones its name.
    owner = value.owner if isinstance(value.owner, str) else type(value.owner).__name__
    return {"metadata_request": [owner, encode(asked, store, path)]}


def _decode_requests(content: tuple[str, JSON], store: Store) -> MetadataRequest:
    owner, asked = content
    requests = MetadataRequest(owner=owner)
    for name, wanted in decode(asked, store).items():
        for param, alias in wanted.items():
            getattr(requests, name).add_request(param=param, alias=alias)
    return requests


def _encode_estimator(value: BaseEstimator, store: Store, path: str) -> JSON:
    name = type(value).__name__
    if store.estimators.get(name) is not type(value):
        raise ValueError(
            f"{path} is a {name}, which cannot be saved. These can: {sorted(store.estimators)}."
        )
    attributes = encode(vars(value).copy(), store, path)
    return {"estimator": [name, attributes]}


def _decode_estimator(content: tuple[str, JSON], store: Store) -> BaseEstimator:
    name, document = content
    if name not in store.estimators:
        raise ValueError(
            f"It holds a {name!r}, which is none of the classes that are loaded: "
            f"{sorted(store.estimators)}."
        )
    # Without __setstate__, which would warn of another version of scikit-learn.
    estimator: BaseEstimator = object.__new__(store.estimators[name])
    vars(estimator).update(decode(document, store))
    return estimator


def _encode_list(value: Sequence[object], store: Store, path: str) -> list[JSON]:
    return [encode(item, store, f"{path}.{position}") for position, item in enumerate(value)]


def _encode_dict(value: Mapping[object, object], store: Store, path: str) -> JSON:
    # Pairs, since the keys of JSON's own objects are strings.
    pairs: list[JSON] = []
    for key, item in value.items():
        encoded_key = encode(key, store, f"{path}.key")
        encoded_item = encode(item, store, f"{path}.{key}")
        pairs.append([encoded_key, encoded_item])
    return {"dict": pairs}


def _decode_dict(content: list[tuple[JSON, JSON]], store: Store) -> dict[object, object]:
    return {decode(key, store): decode(item, store) for key, item in content}


def _decode_categorical(content: tuple[JSON, bool], store: Store) -> pd.CategoricalDtype:
    categories, is_ordered = content
    return pd.CategoricalDtype(decode(categories, store), ordered=is_ordered)


# Any: each encoder takes the type that it stands for below, each decoder what its encoder wrote.
# Contents are JSON, whose lists are written as tuples here, which have a type for each place.
Encoder: TypeAlias = Callable[[Any, Store, str], JSON]
Decoder: TypeAlias = Callable[[Any, Store], object]

ENCODERS: dict[Types, Encoder] = {
    np.generic: _encode_scalar,
    type(None) | bool | int | str: lambda value, store, path: value,
    float: _encode_float,
    list: _encode_list,
    tuple: lambda value, store, path: {"tuple": _encode_list(list(value), store, path)},
    dict: _encode_dict,
    np.ndarray: _encode_array,
    torch.Tensor: _encode_tensor,
    np.dtype | pd.api.extensions.ExtensionDtype: _encode_dtype,
    pd.Index: _encode_index,
    pd.Interval: _encode_interval,
    tuple(cell.known for cell in CELLS.values()): _encode_cell,
    np.random.RandomState: _encode_random_state,
    PurePath: lambda value, store, path: {"path": str(value)},
    MetadataRequest: _encode_requests,
    BaseEstimator: _encode_estimator,
}

DECODERS: dict[str, Decoder] = {
    **{kind: _reader(cell.read) for kind, cell in CELLS.items()},
    "float": lambda content, store: float(content),
    "scalar": _decode_scalar,
    "tuple": lambda content, store: tuple(decode(content, store)),
    "dict": _decode_dict,
    "array": lambda content, store: store.arrays[content].copy(),
    "cells": _decode_array,
    "tensor": lambda content, store: torch.from_numpy(store.arrays[content].copy()),
    "categorical": _decode_categorical,
    "string": _decode_string,
    "dtype": _decode_dtype,
    "sparse": _decode_sparse,
    "numpy_dtype": lambda content, store: np.dtype(content),
    "arrow": lambda content, store: decode_arrow(content),
    "index": _decode_index,
    "interval": _decode_interval,
    "metadata_request": _decode_requests,
    "multi_index": _decode_multi_index,
    "random_state": _decode_random_state,
    "path": lambda content, store: Path(content),
    "record": _decode_record,
    "estimator": _decode_estimator,
}
