"""Texts in flat memory become a column of Polars without being copied, by Arrow's C data interface.

The structures are those of https://arrow.apache.org/docs/format/CDataInterface.html; a column of texts is the layout
"utf8 view" (format `vu`): 16 bytes a text, which hold a text of at most 12 bytes, or say where a longer one stands.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_int64, c_void_p, py_object, pythonapi

import numpy as np
import polars as pl
from numpy.typing import NDArray

_NULLABLE = 2


class _Schema(Structure):
    _fields_ = (
        ("format", c_char_p),
        ("name", c_char_p),
        ("metadata", c_char_p),
        ("flags", c_int64),
        ("n_children", c_int64),
        ("children", c_void_p),
        ("dictionary", c_void_p),
        ("release", c_void_p),
        ("private_data", c_void_p),
    )


class _Array(Structure):
    _fields_ = (
        ("length", c_int64),
        ("null_count", c_int64),
        ("offset", c_int64),
        ("n_buffers", c_int64),
        ("n_children", c_int64),
        ("buffers", POINTER(c_void_p)),
        ("children", c_void_p),
        ("dictionary", c_void_p),
        ("release", c_void_p),
        ("private_data", c_void_p),
    )


_capsule = pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = py_object, (c_void_p, c_char_p, c_void_p)

_lent: dict[int, object] = {}
"""What a column that is in use stands on, by the `private_data` of its array."""


@ctypes.CFUNCTYPE(None, POINTER(_Array))  # type: ignore[untyped-decorator]
def _release_array(array: ctypes._Pointer[_Array]) -> None:
    _lent.pop(array.contents.private_data or 0, None)
    array.contents.release = None


@ctypes.CFUNCTYPE(None, POINTER(_Schema))  # type: ignore[untyped-decorator]
def _release_schema(schema: ctypes._Pointer[_Schema]) -> None:
    schema.contents.release = None


class _Lent:
    """An array of texts that a reader of Arrow's C data interface may take."""

    def __init__(self, views: NDArray[np.uint64], present: NDArray[np.bool_], memory: NDArray[np.uint8]) -> None:
        bits = np.packbits(present, bitorder="little")
        sizes = np.array([len(memory)], np.int64)
        parts = (bits, views, memory, sizes)
        buffers = (c_void_p * len(parts))(*(part.ctypes.data for part in parts))
        self._schema = _Schema(format=b"vu", name=b"", flags=_NULLABLE)
        self._schema.release = ctypes.cast(_release_schema, c_void_p).value
        self._array = _Array(length=len(views), null_count=-1, n_buffers=len(parts))
        self._array.buffers = buffers
        self._array.release = ctypes.cast(_release_array, c_void_p).value
        self._array.private_data = ctypes.addressof(self._array)
        _lent[ctypes.addressof(self._array)] = (self, parts, buffers)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        schema = _capsule(ctypes.addressof(self._schema), b"arrow_schema", None)
        return schema, _capsule(ctypes.addressof(self._array), b"arrow_array", None)


def text_series(views: NDArray[np.uint64], present: NDArray[np.bool_], memory: NDArray[np.uint8]) -> pl.Series:
    """The column of these views (two numbers a text) into `memory`, null where a text is not `present`.

    The memory must not change while the column, or one made from it, is in use.
    """
    return pl.Series(_Lent(views, present, memory))
