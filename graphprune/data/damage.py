"""What goes wrong while a file of data is read, as refusals."""

from __future__ import annotations

import errno
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager

from graphprune.errors import Environment, Usage

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    SyntaxError,
    TypeError,
    OverflowError,
    struct.error,
    tokenize.TokenError,
)


@contextmanager
def guarded(where: str) -> Generator[None]:
    """Turn what goes wrong while a file is read into a refusal that names it."""
    try:
        yield
    except MemoryError as error:
        raise Environment(f"memory ran out while {where} was read", "use a smaller batch") from error
    except FileNotFoundError as error:
        raise Usage(f"no such file: '{error.filename}'", "check the path") from error
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # bz2's word for damage; a place before the start of the file
            raise _damaged(where, error) from error
        raise Environment(f"cannot read {where}: {error.strerror}", "check the file") from error
    except _DAMAGE as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> Usage:
    reason = (str(error).strip() or "it ends early").splitlines()[0][:200]
    return Usage(f"{where} is damaged or no array: {reason}", "write it again with np.savez")
