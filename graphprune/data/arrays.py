"""Arrays in `.npy` files and `.npz` archives, read row by row and never whole.

Sizes come from the header and are checked against the file, so that no header can make memory be taken that
the file does not back. Pickles are never read.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from graphprune.data.damage import guarded
from graphprune.errors import Usage

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_MOST_IN_ONE = 256 << 20
"""Arrays in Fortran order have no rows to stream; they are read whole, up to this many bytes."""
_MOST_HEADER = 1 << 14


@dataclass(frozen=True)
class Stored:
    """An array in a file: its leading axis counts rows.

    Attributes:
        path: the file.
        member: the name inside the archive; None for a `.npy` file.
        shape: sizes as the header says.
        dtype: the element type.
        offset: where the values start, in the file or in the member.
        columns: whether the values are in Fortran order.
    """

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    columns: bool

    @property
    def where(self) -> str:
        """How messages name it."""
        return self.path.name if self.member is None else f"{self.path.name} ({self.member})"

    @contextmanager
    def rows(self) -> Generator[Rows]:
        """Open the array for reading."""
        with ExitStack() as stack:
            with guarded(self.where):
                stream = stack.enter_context(_open(self.path, self.member))
            yield Rows(self, stream)


class Rows:
    """An open array; rows are read in ascending order."""

    def __init__(self, stored: Stored, stream: IO[bytes]) -> None:
        self._stored = stored
        self._stream = stream
        self._whole: NDArray[Any] | None = None

    def read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows of these ascending numbers, [len(numbers), ...].

        Raises:
            Usage: the file is damaged, or has changed.
            Environment: memory ran out.
        """
        with guarded(self._stored.where):
            if self._stored.columns:
                return self._columns()[numbers]
            return self._read(numbers)

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        shape, dtype = self._stored.shape, self._stored.dtype
        row = math.prod(shape[1:]) * dtype.itemsize
        result = np.empty((len(numbers), *shape[1:]), dtype)
        data = result.reshape(-1).view(np.uint8) if result.nbytes else np.empty(0, np.uint8)
        at = 0
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
            if not len(run) or not row:
                continue
            self._stream.seek(self._stored.offset + int(run[0]) * row)
            end = at + len(run) * row
            while at < end:
                got = self._stream.read(min(end - at, 1 << 22))
                if not got:
                    raise EOFError
                data[at : at + len(got)] = np.frombuffer(got, np.uint8)
                at += len(got)
        return result

    def _columns(self) -> NDArray[Any]:
        if self._whole is None:
            size = math.prod(self._stored.shape) * self._stored.dtype.itemsize
            if size > _MOST_IN_ONE:
                raise Usage(
                    f"{self._stored.where} is in Fortran order and too large to read at once",
                    "save it with np.ascontiguousarray",
                )
            self._stream.seek(self._stored.offset)
            data = self._stream.read(size)
            self._whole = np.frombuffer(data, self._stored.dtype).reshape(self._stored.shape, order="F")
        return self._whole


def open_array(path: Path) -> Stored:
    """Read the header of a `.npy` file.

    Raises:
        Usage: there is no such file, or it is no array, is cut short, or holds Python objects.
    """
    with guarded(path.name), _open(path, None) as stream:
        return _header(path, None, stream, path.stat().st_size)


def open_archive(path: Path) -> dict[str, Stored]:
    """Read the headers of all arrays in a `.npz` archive, by key.

    Raises:
        Usage: as for `open_array`.
    """
    found: dict[str, Stored] = {}
    with guarded(path.name), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                raise Usage(
                    f"{path.name} holds '{info.filename}', which is no array", "write it with np.savez"
                )
            with guarded(f"{path.name} ({info.filename})"), archive.open(info) as stream:
                stored = _header(path, info.filename, stream, info.file_size)
            found[info.filename.removesuffix(".npy")] = stored
    return found


def is_archive(path: Path) -> bool:
    """Whether a file is a `.npz` archive rather than a `.npy` array, by its first bytes.

    Raises:
        Usage: it is neither, or there is no such file.
    """
    with guarded(path.name), _open(path, None) as stream:
        start = stream.read(6)
    if start[:2] == b"PK":
        return True
    if start == b"\x93NUMPY":
        return False
    raise Usage(f"{path} is no .npz or .npy file", "write it with np.savez; pickles and text are not read")


@contextmanager
def _open(path: Path, member: str | None) -> Generator[IO[bytes]]:
    if path.exists() and not path.is_file():
        raise Usage(f"'{path}' is not a plain file", "name a .npz or .npy file, or a folder of them")
    if member is None:
        with path.open("rb") as stream:
            yield stream
    else:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            yield stream


def _header(path: Path, member: str | None, source: IO[bytes], size: int) -> Stored:
    stream = io.BytesIO(source.read(_MOST_HEADER))
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is not supported")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a header was written by Python 2
        shape, columns, dtype = _HEADERS[version](stream)
    stored = Stored(path, member, shape, dtype, stream.tell(), columns and len(shape) > 1)
    if dtype.hasobject:
        raise Usage(f"{stored.where} holds Python objects", "pickles are not read; save plain numbers")
    if any(length < 0 for length in shape):
        raise ValueError("a size is negative")
    needed = math.prod(shape) * dtype.itemsize
    if size - stored.offset < needed:
        raise ValueError(f"it should hold {needed} bytes of values, {max(size - stored.offset, 0)} are there")
    return stored
