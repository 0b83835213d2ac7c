# SPDX-License-Identifier: Apache-2.0
"""Another program at the same card, through the system's own PC/SC library: looks whether a card is there, resets it,
or selects another application on it. No module of a test is involved, so none of them knows beforehand.
"""

import contextlib
import ctypes
import time

LIBRARY = "libpcsclite.so.1"
READER_PREFIX = b"Yubico"
SCOPE_SYSTEM, SHARE_SHARED, PROTOCOL_T1 = 2, 2, 2
LEAVE_CARD, RESET_CARD = 0, 1
STATE_PRESENT = 0x20
ATR_MAX, ANSWER_MAX = 33, 258
POLL_S = 0.02
SELECT_MANAGEMENT = bytes.fromhex("00A4040008A000000527471117")

Handle = ctypes.c_long
Dword = ctypes.c_ulong


class PcscError(Exception):
    pass


class ReaderState(ctypes.Structure):
    _fields_ = [("reader", ctypes.c_char_p), ("user", ctypes.c_void_p), ("current", Dword), ("event", Dword),
                ("atr_len", Dword), ("atr", ctypes.c_ubyte * ATR_MAX)]


class IoRequest(ctypes.Structure):
    _fields_ = [("protocol", Dword), ("length", Dword)]


_library = ctypes.CDLL(LIBRARY)


def _call(name, *arguments):
    status = getattr(_library, name)(*arguments) & 0xFFFFFFFF
    if status:
        raise PcscError(f"{name}: {status:08X}")


@contextlib.contextmanager
def _context():
    context = Handle()
    _call("SCardEstablishContext", Dword(SCOPE_SYSTEM), None, None, ctypes.byref(context))
    try:
        yield context
    finally:
        _library.SCardReleaseContext(context)


def _reader(context):
    """The name of the first slot; the driver has a second one, always empty."""
    length = Dword(1024)
    names = ctypes.create_string_buffer(length.value)
    _call("SCardListReaders", context, None, names, ctypes.byref(length))
    for name in names.raw[:length.value].split(b"\0"):
        if name.startswith(READER_PREFIX):
            return name
    raise PcscError("there is no reader")


def is_present():
    with _context() as context:
        state = ReaderState(reader=_reader(context))
        _call("SCardGetStatusChange", context, Dword(0), ctypes.byref(state), Dword(1))
        return bool(state.event & STATE_PRESENT)


def wait_until(is_wanted, timeout_s):
    """Whether pcscd saw the card come (True) or go (False) in time; no pcscd is no card."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            is_there = is_present()
        except PcscError:
            is_there = False
        if is_there == is_wanted:
            return True
        time.sleep(POLL_S)
    return False


def _transmit(card, command):
    request = IoRequest(PROTOCOL_T1, ctypes.sizeof(IoRequest))
    length = Dword(ANSWER_MAX)
    answer = ctypes.create_string_buffer(ANSWER_MAX)
    _call("SCardTransmit", card, ctypes.byref(request), command, Dword(len(command)), None, answer,
          ctypes.byref(length))
    return answer.raw[:length.value]


def intrude(resets):
    """Comes and goes like another program that uses the card: selects its own application, or resets the card."""
    with _context() as context:
        card, protocol = Handle(), Dword()
        _call("SCardConnect", context, _reader(context), Dword(SHARE_SHARED), Dword(PROTOCOL_T1),
              ctypes.byref(card), ctypes.byref(protocol))
        if not resets:
            _transmit(card, SELECT_MANAGEMENT)
        _call("SCardDisconnect", card, Dword(RESET_CARD if resets else LEAVE_CARD))
