"""What goes between us and the process that runs ONNX Runtime: frames of JSON and arrays over a socket.

A frame is two lengths (8 bytes each, big-endian), a JSON object, and the bytes of its small arrays. Large
arrays go in one unnamed file that both sides map; the file itself goes along with the frame, so that nothing
has a name that could be left behind. Where files cannot be passed on (Windows), everything goes in the frame.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct(">QQ")
_LARGE = 1 << 18
_MOST_FILES = 4
PASSES_FILES = hasattr(socket, "send_fds")
"""Whether an open file can go along with a frame."""

Bytes = NDArray[np.uint8]


class Gone(ConnectionError):
    """The other side is there no more."""


@dataclass(frozen=True)
class Tensor:
    """An array as ONNX stores it.

    Attributes:
        element: the number of ONNX's element type.
        dims: its sizes.
        data: its bytes, flat (elements of less than a byte are packed); empty for strings.
        texts: the elements, flat, where they are strings.
    """

    element: int
    dims: tuple[int, ...]
    data: Bytes
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """What came: the JSON object, the arrays, and an open file where one was passed on (the receiver's)."""

    said: Mapping[str, Any]
    tensors: Sequence[Tensor]
    file: int | None = None


def unnamed(size: int) -> int:
    """Return the descriptor of a new file of `size` bytes that has no name; the caller closes it.

    Raises:
        OSError: there is no room for it.
    """
    if sys.platform == "linux":
        file = os.memfd_create("graphprune", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as stream:
            file = os.dup(stream.fileno())
    try:
        if sys.platform == "linux":
            # Else a page for which there is no room would end the process that touches it.
            os.posix_fallocate(file, 0, size)
        else:
            os.ftruncate(file, size)
    except BaseException:
        os.close(file)
        raise
    return file


def send(
    channel: socket.socket, said: Mapping[str, Any], tensors: Sequence[Tensor] = (), file: int | None = None
) -> None:
    """Send a frame, with an open file where one is given (it stays the sender's).

    Raises:
        Gone: nobody is there.
        TimeoutError: the time that `channel` allows has passed.
        OSError: there is no room for large arrays.
    """
    large = [tensor.data.nbytes >= _LARGE and PASSES_FILES for tensor in tensors]
    places: list[dict[str, Any]] = []
    inline: list[Bytes] = []
    end = 0
    for tensor, is_large in zip(tensors, large, strict=True):
        place: dict[str, Any] = {"element": tensor.element, "dims": tensor.dims, "bytes": tensor.data.nbytes}
        if tensor.texts:
            place["texts"] = tensor.texts
        if is_large:
            end = -(-end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            place["at"] = end
            end += tensor.data.nbytes
        else:
            inline.append(tensor.data)
        places.append(place)
    shared = unnamed(end) if end else None
    try:
        if shared is not None:
            with mmap.mmap(shared, end) as room:
                for tensor, place in zip(tensors, places, strict=True):
                    if "at" in place:
                        _pour(tensor.data, room, place["at"])
        text = json.dumps({"said": said, "tensors": places, "shared": shared is not None}).encode()
        files = [each for each in (shared, file) if each is not None]
        head = _HEAD.pack(len(text), sum(each.nbytes for each in inline))
        _send(channel, [head + text, *(each.data for each in inline)], files)
    finally:
        if shared is not None:
            os.close(shared)


def _pour(data: Bytes, room: mmap.mmap, at: int) -> None:
    np.frombuffer(room, np.uint8, data.nbytes, at)[:] = data


def _send(channel: socket.socket, pieces: Sequence[bytes | memoryview], files: Sequence[int]) -> None:
    try:
        first = memoryview(pieces[0])
        if files:
            first = first[socket.send_fds(channel, [first], files) :]
        channel.sendall(first)
        for piece in pieces[1:]:
            channel.sendall(piece)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Gone from error


def receive(channel: socket.socket) -> Frame:
    """Wait for a frame. Large arrays are mapped from a file that lives as long as they do.

    Raises:
        Gone: nobody is there any more.
        TimeoutError: the time that `channel` allows has passed.
    """
    head, files = _head(channel)
    text, inline = _HEAD.unpack(head)
    content = json.loads(bytes(_exactly(channel, text)))
    packed = np.frombuffer(_exactly(channel, inline), np.uint8)
    shared = files.pop(0) if content["shared"] else None
    tensors: list[Tensor] = []
    at = 0
    try:
        for place in content["tensors"]:
            length = place["bytes"]
            if "at" in place:
                assert shared is not None
                data = np.frombuffer(mmap.mmap(shared, length, offset=place["at"]), np.uint8)
            else:
                data = packed[at : at + length]
                at += length
            tensors.append(
                Tensor(place["element"], tuple(place["dims"]), data, tuple(place.get("texts", ())))
            )
    finally:
        if shared is not None:
            os.close(shared)
    return Frame(content["said"], tensors, files[0] if files else None)


def _head(channel: socket.socket) -> tuple[bytes, list[int]]:
    head, files = b"", list[int]()
    while len(head) < _HEAD.size:
        try:
            if PASSES_FILES:
                more, passed, _, _ = socket.recv_fds(channel, _HEAD.size - len(head), _MOST_FILES)
                files += passed
            else:
                more = channel.recv(_HEAD.size - len(head))
        except ConnectionResetError as error:
            raise Gone from error
        if not more:
            raise Gone
        head += more
    return head, files


def _exactly(channel: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    left = memoryview(data)
    while left:
        try:
            got = channel.recv_into(left)
        except ConnectionResetError as error:
            raise Gone from error
        if not got:
            raise Gone
        left = left[got:]
    return data
