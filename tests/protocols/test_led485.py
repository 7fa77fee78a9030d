"""Bytes for display and voice boards: published vectors, and what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import led485

VECTORS = {
    "欢迎光临": "00 64 FF FF 30 09 01 BB B6 D3 AD B9 E2 C1 D9 32 58",
    "请交费10元": "00 64 FF FF 30 0B 01 C7 EB BD BB B7 D1 31 30 D4 AA 43 1E",
}
HEAD, LENGTH, CRC = 5, 1, 2


@pytest.mark.parametrize("text", VECTORS)
def test_published_voice_vectors(text: str) -> None:
    assert led485.voice(text) == bytes.fromhex(VECTORS[text])


def parts(frame: bytes) -> tuple[list[bytes], bytes]:
    """The texts of the lines and the voice of a display frame, read by its lengths alone."""
    assert frame[:HEAD] == bytes.fromhex("0064FFFF6E")
    body = frame[HEAD + LENGTH : -CRC]
    assert frame[HEAD] == len(body)
    shown, at = [], 2
    for number in range(body[1]):
        assert body[at] == number
        text_at = at + 10
        at = text_at + body[at + 9] + 1
        shown.append(body[text_at : at - 1])
    if not shown:
        at += 1
    if body[at] == 0:
        return shown, b""
    return shown, body[at + 2 : at + 2 + body[at + 1]]


def test_a_display_frame_says_lines_and_voice() -> None:
    frame = led485.display(["沪AD61827", "欢迎回家"], "欢迎回家", led485.GREEN)
    shown, spoken = parts(frame)
    assert [line.decode("gbk") for line in shown] == ["沪AD61827", "欢迎回家"]
    assert spoken.decode("gbk") == "欢迎回家"


def test_nothing_to_say_is_a_frame_too() -> None:
    assert parts(led485.display([], "", led485.RED)) == ([], b"")


def test_at_most_four_lines() -> None:
    shown, _ = parts(led485.display(list("123456"), "", led485.RED))
    assert shown == [b"1", b"2", b"3", b"4"]


def test_text_is_cut_between_characters() -> None:
    shown, spoken = parts(led485.display(["x" + "车" * 16], "x" + "车" * 32, led485.RED))
    assert shown[0].decode("gbk") == "x" + "车" * 15
    assert spoken.decode("gbk") == "x" + "车" * 31


@pytest.mark.parametrize("text", ["🚗", "İ", "\ud800", "ᠠ"])
def test_what_gbk_cannot_hold_becomes_a_question_mark(text: str) -> None:
    shown, spoken = parts(led485.display([text], text, led485.RED))
    assert set(shown[0]) | set(spoken) == {ord("?")}


@given(st.lists(st.text(), max_size=8), st.text())
def test_any_text_keeps_to_the_limits(lines: list[str], voice: str) -> None:
    frame = led485.display(lines, voice, led485.RED)
    shown, spoken = parts(frame)
    assert len(shown) == min(4, len(lines))
    assert max(map(len, shown), default=0) <= 32
    assert len(spoken) <= 64
    assert len(led485.voice(voice)) <= HEAD + LENGTH + 255 + CRC
