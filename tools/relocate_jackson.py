"""Write a jar with Spark's own Jackson under the name by which Iceberg's classes ask for it.

The jar of Iceberg that is on PyPI has no Jackson inside, though its classes look for one there. A class names others in
its constants, so these are rewritten (chapter 4.4 of the Java Virtual Machine Specification).

python -m tools.relocate_jackson JARS_OF_SPARK OUT
"""

import sys
import zipfile
from pathlib import Path
from typing import Final

_NAMES: Final = ("com/fasterxml/jackson/", "com.fasterxml.jackson.")
_INTO: Final = "org/apache/iceberg/shaded/"
_UTF8: Final = 1
# Bytes behind the tag of a constant.
_SIZES: Final = {
    3: 4,
    4: 4,
    5: 8,
    6: 8,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
_TWICE: Final = (5, 6)
"""Constants of eight bytes, which count as two."""


def relocated(content: bytes) -> bytes:
    """Return a class file in which all names of Jackson's are below Iceberg's."""
    out = bytearray(content[:10])
    count = int.from_bytes(content[8:10], "big")
    at, number = 10, 1
    while number < count:
        tag = content[at]
        if tag == _UTF8:
            size = int.from_bytes(content[at + 1 : at + 3], "big")
            text = _moved(content[at + 3 : at + 3 + size])
            out += bytes([tag]) + len(text).to_bytes(2, "big") + text
            at += 3 + size
        else:
            size = 1 + _SIZES[tag]
            out += content[at : at + size]
            at += size
        number += 2 if tag in _TWICE else 1
    return bytes(out + content[at:])


def _moved(text: bytes) -> bytes:
    for name in _NAMES:
        separator = name[-1]
        text = text.replace(name.encode(), _INTO.replace("/", separator).encode() + name.encode())
    return text


def relocate(jars: Path, out: Path) -> None:
    """Write the classes of Jackson's three jars in a folder into one jar."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in ("core", "databind", "annotations"):
            (jar,) = jars.glob(f"jackson-{part}-2.*.jar")
            with zipfile.ZipFile(jar) as source:
                for name in source.namelist():
                    if name.startswith(_NAMES[0]) and name.endswith(".class"):
                        target.writestr(_INTO + name, relocated(source.read(name)))


if __name__ == "__main__":
    relocate(Path(sys.argv[1]), Path(sys.argv[2]))
