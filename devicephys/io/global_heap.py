"""Global heaps of HDF5 files, checked before the HDF5 library walks them.

The library adds up the sizes of the objects of a heap until it is through. Free space of size zero,
as damage makes it, is a step of zero: the library then never comes back.
"""

import re
import struct

from devicephys.errors import DataError

COLLECTION = re.compile(rb"GCOL\x01\0\0\0(.{8})", re.DOTALL)  # signature, version, size in bytes
OBJECT = struct.Struct("<HHIQ")  # index, references, reserved, size without this header


def check(content: bytes, where: str) -> None:
    """Refuse a file of which the HDF5 library would not come back.

    Parameters
    ----------
    content : bytes
        All of the file, with lengths of 8 bytes as the library writes them.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        If free space in a global heap is smaller than its own header.

    References
    ----------
    HDF5 File Format Specification, section III.E, "Disk Format: Level 1E - Global Heap".

    Examples
    --------
    >>> heap = b"GCOL" + bytes([1, 0, 0, 0, 64]) + bytes(55)
    >>> check(heap, "x.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.nc: damaged: free space of 0 bytes at byte 16 of the file; \
expected 16 or more; copy the file again, or export it again
    """
    for found in COLLECTION.finditer(content):
        at = found.end()
        end = min(found.start() + int.from_bytes(found[1], "little"), len(content))
        while at + OBJECT.size <= end:
            index, _, _, size = OBJECT.unpack_from(content, at)
            if index == 0 and size < OBJECT.size:
                raise DataError(
                    f"damaged: free space of {size} bytes at byte {at} of the file", where=where,
                    expected=f"{OBJECT.size} or more",
                    remedy="copy the file again, or export it again",
                )  # fmt: skip
            # The size of free space counts its header; that of an object is rounded up to 8 bytes.
            at += size if index == 0 else OBJECT.size + (size + 7) // 8 * 8
