"""Thrift's compact protocol, in which Parquet writes its footers; just what is needed to read one.

pyarrow reads footers too, but asked for the statistics of a damaged one it ends the whole process: its C++ exception
finds no handler. A night must outlive a damaged file, so the driver reads what it needs of row groups by itself.

The format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

import struct
from typing import Any, Final

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_INTEGERS: Final = (_I16, _I32, _I64)
_DEEPEST: Final = 20

Fields = dict[int, Any]
"""A struct by the numbers of its fields; a struct in it is a dict again, binary is bytes."""


def read_struct(content: bytes) -> Fields:
    """Read the struct that `content` begins with.

    Raises:
        ValueError: It is none.
    """
    try:
        return _Reader(content).struct(0)
    except (IndexError, struct.error) as error:
        raise ValueError("a Thrift struct is cut off") from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def struct(self, depth: int) -> Fields:
        if depth > _DEEPEST:
            raise ValueError("a Thrift struct is nested too deeply")
        fields: Fields = {}
        number = 0
        while header := self.byte():
            step = header >> 4
            number = number + step if step else self.integer()
            fields[number] = self.value(header & 0x0F, depth + 1)
        return fields

    def value(self, dtype: int, depth: int) -> Any:
        if dtype in _INTEGERS:
            return self.integer()
        if dtype in (_TRUE, _FALSE):
            return dtype == _TRUE
        if dtype == _BYTE:
            return self.byte()
        if dtype == _DOUBLE:
            return struct.unpack("<d", self.take(8))[0]
        if dtype == _BINARY:
            return self.take(self.varint())
        if dtype in (_LIST, _SET):
            return self.list(depth)
        if dtype == _STRUCT:
            return self.struct(depth)
        raise ValueError(f"a Thrift struct has a field of type {dtype}")  # no map is part of a footer

    def list(self, depth: int) -> list[Any]:
        header = self.byte()
        size = header >> 4
        if size == 0x0F:
            size = self.varint()
        dtype = header & 0x0F
        if size > len(self.content) - self.at:  # each item takes a byte at least
            raise ValueError("a Thrift list is longer than what is left")
        if dtype in (_TRUE, _FALSE):
            return [self.byte() == _TRUE for _ in range(size)]
        return [self.value(dtype, depth + 1) for _ in range(size)]

    def integer(self) -> int:
        zigzag = self.varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def varint(self) -> int:
        byte = self.byte()
        if byte < 0x80:  # most are small
            return byte
        found = byte & 0x7F
        shift = 7
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
            if shift > 63:
                raise ValueError("a Thrift integer has more than 64 bits")

    def byte(self) -> int:
        found = self.content[self.at]
        self.at += 1
        return found

    def take(self, size: int) -> bytes:
        if size > len(self.content) - self.at:
            raise ValueError("a Thrift value is longer than what is left")
        self.at += size
        return self.content[self.at - size : self.at]
