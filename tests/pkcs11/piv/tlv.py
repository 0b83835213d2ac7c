# SPDX-License-Identifier: Apache-2.0
"""BER-TLV as PIV uses it (SP 800-73-4, ISO 7816-4): tags of one to three bytes, lengths of one to three.

What a host sends is parsed here and nowhere else, so that a malformed object has one way to fail: ValueError.
"""

MORE_TAG_BYTES = 0x1F  # the low five bits all set: the tag goes on
TAG_GOES_ON = 0x80


def _length(n_bytes):
    if n_bytes < 0x80:
        return bytes([n_bytes])
    if n_bytes < 0x100:
        return bytes([0x81, n_bytes])
    return b"\x82" + n_bytes.to_bytes(2, "big")


def tlv(tag, value=b""):
    """One object; the tag is a number written as it stands on the wire: 0x5FC105, 0x7C."""
    tag_bytes = tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")
    return tag_bytes + _length(len(value)) + bytes(value)


def _read_tag(data, at):
    start = at
    if data[at] & MORE_TAG_BYTES == MORE_TAG_BYTES:
        at += 1
        while data[at] & TAG_GOES_ON:
            at += 1
    return int.from_bytes(data[start:at + 1], "big"), at + 1


def _read_length(data, at):
    first = data[at]
    if first < 0x80:
        return first, at + 1
    n_bytes = first - 0x80
    if n_bytes not in (1, 2):
        raise ValueError(f"a length of {n_bytes} bytes")
    return int.from_bytes(data[at + 1:at + 1 + n_bytes], "big"), at + 1 + n_bytes


def parse(data):
    """The objects in `data`, in order, as (tag, value) pairs."""
    found, at = [], 0
    while at < len(data):
        try:
            tag, at = _read_tag(data, at)
            length, at = _read_length(data, at)
        except IndexError as error:
            raise ValueError("an object is cut off") from error
        if at + length > len(data):
            raise ValueError("an object is longer than what holds it")
        found.append((tag, bytes(data[at:at + length])))
        at += length
    return found


def parse_dict(data):
    return dict(parse(data))
