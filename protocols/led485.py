"""Display and voice boards behind a camera's RS-485 port (FangKong text protocol).

Frames are `00 64 FF FF`, command, length, data, CRC-16/Modbus low byte first; text is GBK.
The voice frame was checked against two published vectors; the display frame follows the
sample answers.
"""

HEAD = bytes.fromhex("0064FFFF")
VOICE, DISPLAY = 0x30, 0x6E
GREEN, RED = bytes.fromhex("00FF0000"), bytes.fromhex("FF000000")
LINES, LINE_BYTES, VOICE_BYTES = 4, 32, 64
STAY_SECONDS, TIMES = 0x0A, 0x01
NEXT_LINE, END, SPEAK = b"\x0d", b"\x00", b"\x0a"


def display(lines: list[str], voice: str, color: bytes) -> bytes:
    """Show up to four lines of 32 bytes and speak up to 64 bytes; longer text is cut."""
    shown = [_line(number, text, color) for number, text in enumerate(lines[:LINES])]
    spoken = _gbk(voice, VOICE_BYTES)
    speech = SPEAK + bytes([len(spoken)]) + spoken if spoken else b""
    body = bytes([0, len(shown)]) + NEXT_LINE.join(shown) + END + speech + END
    return _frame(DISPLAY, body)


def voice(text: str) -> bytes:
    """Speak a text, alone."""
    return _frame(VOICE, b"\x01" + _gbk(text, 254))


def _line(number: int, text: str, color: bytes) -> bytes:
    encoded = _gbk(text, LINE_BYTES)
    return bytes([number, 0, 0, STAY_SECONDS, TIMES]) + color + bytes([len(encoded)]) + encoded


def _gbk(text: str, limit: int) -> bytes:
    encoded = text.encode("gbk", "replace")
    if len(encoded) <= limit:
        return encoded
    return encoded[:limit].decode("gbk", "ignore").encode("gbk")


def _frame(command: int, body: bytes) -> bytes:
    framed = HEAD + bytes([command, len(body)]) + body
    return framed + _crc16(framed).to_bytes(2, "little")


def _crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc
