"""Global heaps of HDF5: whole files pass, and what the library would never end on is refused."""

import struct

import numpy as np
import pytest
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import global_heap


def heap(*objects, size=256):
    """A collection; objects are (index, size, data)."""
    body = b"".join(
        struct.pack("<HHIQ", index, 0, 0, n) + data + bytes(-len(data) % 8)
        for index, n, data in objects
    )
    return (b"GCOL\x01\0\0\0" + struct.pack("<Q", size) + body).ljust(size, b"\0")


def test_a_whole_file_passes():
    dataset = xr.Dataset(
        {"a": ("x", np.array(["p", "q"], dtype=object))}, attrs={"text": "of a run"}
    )
    content = bytes(dataset.to_netcdf(engine="h5netcdf"))
    assert b"GCOL" in content
    global_heap.check(content, "x.nc")


def test_a_full_heap_and_one_with_free_space_pass():
    text = (1, 5, b"hello")
    free = (0, 256 - 16 - 24, b"")
    global_heap.check(heap(text, free), "x.nc")
    full = (2, 256 - 16 - 24 - 16, b"x" * 200)
    global_heap.check(heap(text, full), "x.nc")


@pytest.mark.parametrize("size", [0, 1, 15])
def test_free_space_smaller_than_its_header_is_refused(size):
    with pytest.raises(DataError) as caught:
        global_heap.check(b"before" + heap((1, 5, b"hello"), (0, size, b"")), "x.nc")
    assert str(caught.value) == (
        f"x.nc: damaged: free space of {size} bytes at byte 46 of the file; expected 16 or more; "
        "copy the file again, or export it again"
    )


def test_a_length_that_leads_to_zeros_is_refused():
    """One wrong byte in the length of a text, as it was found by damaging files at random."""
    with pytest.raises(DataError, match="free space of 0 bytes"):
        global_heap.check(heap((1, 138, b"hello")), "x.nc")


def test_the_word_alone_is_no_heap_and_a_cut_one_is_left_to_the_library():
    global_heap.check(b"GCOL in a text" + bytes(99), "x.nc")
    global_heap.check(heap((1, 5, b"hello"))[:35], "x.nc")
    global_heap.check(heap((1, 2**63, b"hello")), "x.nc")
