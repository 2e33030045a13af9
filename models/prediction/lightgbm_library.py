"""LightGBM's own shared library, called without its Python package.

`import lightgbm` brings pandas and scikit-learn with it, which the server never loads. Prediction needs
neither: the package contains a C library with a documented interface
(https://lightgbm.readthedocs.io/en/stable/C-API.html), which is called here through ctypes. The answers are those of
`lightgbm.Booster.predict`, bit for bit; a test checks it.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import weakref
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int32, c_int64, c_void_p
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FLOAT32 = 0
_NORMAL, _CONTRIBUTIONS = 0, 3
_ROW_MAJOR = 1
_ALL_TREES = -1
_LIBRARIES = ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "lib/lib_lightgbm.dll", "bin/lib_lightgbm.dll")

_SIGNATURES: dict[str, list[type]] = {
    "LGBM_BoosterLoadModelFromString": [c_char_p, POINTER(c_int), POINTER(c_void_p)],
    "LGBM_BoosterFree": [c_void_p],
    "LGBM_BoosterGetNumFeature": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterGetNumClasses": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterPredictForMat": [
        *(c_void_p, c_void_p, c_int, c_int32, c_int32, c_int, c_int, c_int, c_int),
        *(c_char_p, POINTER(c_int64), c_void_p),
    ],
    "LGBM_BoosterPredictForMatSingleRowFastInit": [
        *(c_void_p, c_int, c_int, c_int, c_int, c_int32),
        *(c_char_p, POINTER(c_void_p)),
    ],
    "LGBM_BoosterPredictForMatSingleRowFast": [c_void_p, c_void_p, c_void_p, c_void_p],
    "LGBM_FastConfigFree": [c_void_p],
}


class LightGBMError(Exception):
    """LightGBM's library refused a model or a call."""


@functools.cache
def library() -> ctypes.CDLL:
    """LightGBM's shared library, loaded once; ImportError when it is not installed or cannot be loaded."""
    package = find_spec("lightgbm")
    if package is None or package.origin is None:
        raise ImportError("The package lightgbm is not installed. Install Waypost with its dependencies again.")
    paths = [Path(package.origin).parent / name for name in _LIBRARIES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ImportError(f"No LightGBM library beside {package.origin}; expected one of {', '.join(_LIBRARIES)}.")
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(f"LightGBM's library cannot be loaded: {error}. It needs OpenMP (libgomp1).") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = arguments, c_int
    loaded.LGBM_GetLastError.argtypes, loaded.LGBM_GetLastError.restype = [], c_char_p
    return loaded


class Booster:
    """A trained LightGBM model, read from its text form. Safe to share between threads."""

    def __init__(self, text: str, outputs: int = 1) -> None:
        """Read `text` as written by `lightgbm.Booster.model_to_string`.

        LightGBMError when it is not a whole model, or gives another number of `outputs` per row.
        """
        # The library trusts the sizes in the text and reads past its end when it was cut short.
        if not text.startswith("tree\n") or "\nend of trees\n" not in text:
            raise LightGBMError(f"Not a whole LightGBM model: {len(text)} characters starting {text[:20]!r}.")
        self._library = library()
        self._model = _Model(text)
        features, classes = c_int(), c_int()
        _check(self._library.LGBM_BoosterGetNumFeature(self._model.handle, byref(features)))
        _check(self._library.LGBM_BoosterGetNumClasses(self._model.handle, byref(classes)))
        if classes.value != outputs:
            raise LightGBMError(f"The LightGBM model gives {classes.value} numbers per row; expected {outputs}.")
        self.features, self.outputs = features.value, outputs
        self._shape = (self.features,)
        self._threads = threading.local()

    def predict_one(self, row: NDArray[np.float32]) -> float:
        """The output of a model of one output for a row, float32[features] (other types are cast).

        ValueError for another shape.
        """
        if row.shape != self._shape:
            raise ValueError(f"A row has shape {row.shape}; expected ({self.features},).")
        try:
            mine: _SingleRow = self._threads.single
        except AttributeError:
            mine = self._threads.single = _SingleRow(self._model, self.features)
        mine.buffer[:] = row
        if mine.predict(mine.config, mine.input, mine.length, mine.output):
            raise LightGBMError(_last_error())
        return mine.result.value

    def predict_many(self, rows: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The output for each row of float32[n, features]: float64[n], on `threads` threads.

        For a model with several outputs, float64[n, outputs].
        """
        outputs = self._predict(rows, _NORMAL, self.outputs, threads)
        return outputs.reshape(-1) if self.outputs == 1 else outputs

    def contributions(self, rows: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """What each feature adds to each row's margin: float64[n, features + 1], the last column the mean margin.

        For a model with several outputs, such a block for each output, side by side.

        These are the exact tree Shapley values (Lundberg and others, 2020); a row sums to its log-odds. It costs
        about a hundred times as much as a score.
        """
        return self._predict(rows, _CONTRIBUTIONS, self.outputs * (self.features + 1), threads)

    def _predict(self, rows: NDArray[np.float32], wanted: int, width: int, threads: int) -> NDArray[np.float64]:
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"Rows have shape {rows.shape}; expected (n, {self.features}).")
        if threads < 1:
            raise ValueError(f"threads is {threads}; expected at least 1.")
        rows = np.ascontiguousarray(rows, np.float32)
        results = np.empty((len(rows), width))
        length = c_int64()
        if len(rows):
            _check(
                self._library.LGBM_BoosterPredictForMat(
                    *(self._model.handle, rows.ctypes.data, _FLOAT32, len(rows), self.features, _ROW_MAJOR),
                    *(wanted, 0, _ALL_TREES, b"num_threads=%d" % threads, byref(length), results.ctypes.data),
                )
            )
        return results


class _Model:
    """The library's own copy of a model, freed when nothing refers to it any more."""

    def __init__(self, text: str) -> None:
        self.handle = c_void_p()
        trees = c_int()
        _check(library().LGBM_BoosterLoadModelFromString(text.encode(), byref(trees), byref(self.handle)))
        weakref.finalize(self, library().LGBM_BoosterFree, self.handle)


class _SingleRow:
    """A prepared call of the library for one thread, with its input row and its result."""

    def __init__(self, model: _Model, features: int) -> None:
        self.model = model  # must outlive the prepared call
        self.buffer = np.zeros(features, np.float32)
        self.result = c_double()
        self.config = c_void_p()
        self.input = c_void_p(self.buffer.ctypes.data)
        self.output = byref(self.result)
        self.length = byref(c_int64())
        self.predict = library().LGBM_BoosterPredictForMatSingleRowFast
        _check(
            library().LGBM_BoosterPredictForMatSingleRowFastInit(
                *(model.handle, _NORMAL, 0, _ALL_TREES, _FLOAT32, features, b"num_threads=1", byref(self.config))
            )
        )
        weakref.finalize(self, library().LGBM_FastConfigFree, self.config)


def _check(status: int) -> None:
    if status != 0:
        raise LightGBMError(_last_error())


def _last_error() -> str:
    message: bytes = library().LGBM_GetLastError()
    return f"LightGBM: {message.decode(errors='replace')}"
