"""PHP's serialized scalars and arrays are read; everything else is refused, in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workers.php import NotSerialized, unserialize


def test_the_classic_payload_is_read() -> None:
    data = b'a:4:{s:3:"src";s:3:"\xff"\0";s:4:"dest";s:5:"a.jpg";s:1:"x";i:200;s:1:"y";s:3:"150";}'
    assert unserialize(data) == {b"src": b'\xff"\0', b"dest": b"a.jpg", b"x": 200, b"y": b"150"}


def test_scalars_and_nested_arrays_are_read() -> None:
    assert unserialize(b"a:2:{i:0;a:1:{i:-1;b:1;}i:1;d:1.5E+25;}") == {0: {-1: True}, 1: 1.5e25}
    assert unserialize(b"N;") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'O:8:"stdClass":0:{}',
        b'C:1:"A":0:{}',
        b"a:1:{i:0;R:1;}",
        b"a:1:{i:0;r:1;}",
        b'E:3:"A:B";',
        b"a:9999999999:{}",
        b's:9999999999:"x";',
        b's:3:"ab";',
        b"i:1",
        b"i:1;i:2;",
        b"a:1:{N;i:1;}",
        b"a:1:{b:1;i:1;}",
        b"a:1:{d:1.0;i:1;}",
        b"a:-1:{}",
        b"a:1:{i:0;" * 1000 + b"N;" + b"}" * 1000,
    ],
    ids=range(16),
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NotSerialized):
        unserialize(data)


@given(
    st.binary()
    | st.lists(st.sampled_from([b"a:1:{", b"i:0;", b's:1:"', b'";', b"}", b"N;", b"d:", b"9"])).map(b"".join)
)
def test_whatever_the_bytes_nothing_else_is_raised(data: bytes) -> None:
    try:
        unserialize(data)
    except NotSerialized as error:
        text = str(error)
    else:
        text = ""
    assert "\n" not in text
