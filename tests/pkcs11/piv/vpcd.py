# SPDX-License-Identifier: Apache-2.0
"""The card's end of the wire to vpcd, the virtual reader inside pcscd: two bytes of length, then a message.

vpcd listens and asks, the card connects and answers; to be connected is to be in the reader. A message of one byte is
the reader's hand (power, reset, ATR), any other a command. Each answer must leave at once: with delayed
acknowledgements a command takes 44 ms instead of less than one.
"""

import contextlib
import socket
import threading
import time

from faults import Yanked

ATR = bytes.fromhex("3BFD1300008131FE158073C021C057597562694B657940")
POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4
RETRY_S = 0.02
OUT_S = 0.6  # pcscd looks every 0.4 s; a card that is back before it looked again stays dead to it


class Gone(Exception):
    """The other end closed the connection."""


def _read(connection, n_bytes):
    data = b""
    while len(data) < n_bytes:
        part = connection.recv(n_bytes - len(data))
        if not part:
            raise Gone
        data += part
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    return data


class Reader:
    """Puts the card into the reader and takes it out again; pcscd notices when it looks next."""

    def __init__(self, card, port):
        self._card, self._address = card, ("127.0.0.1", port)
        self._changed = threading.Condition()
        self._is_wanted, self._is_seen, self._connection = True, False, None
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def is_inserted(self):
        return self._is_wanted

    def insert(self, timeout_s):
        """Whether pcscd asked the card for something in time."""
        with self._card.lock:
            self._card.is_gone = False
        with self._changed:
            self._is_wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._is_seen, timeout_s)

    def remove(self):
        with self._card.lock:
            self._card.is_gone = True
            self._card.lock.notify_all()
        with self._changed:
            self._is_wanted = False
            with contextlib.suppress(OSError, AttributeError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_wanted)
            with contextlib.suppress(OSError):  # no pcscd yet, or not any more
                with socket.create_connection(self._address) as connection:
                    self._stay(connection)
            time.sleep(RETRY_S if self._is_wanted else OUT_S)

    def _stay(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._connection = connection
            if not self._is_wanted:
                return
        try:
            while True:
                self._serve(connection)
        except Gone:
            pass
        except Yanked:
            self._is_wanted = False
        finally:
            self._connection, self._is_seen = None, False
            with self._card.lock:
                self._card.power()

    def _serve(self, connection):
        length = int.from_bytes(_read(connection, 2), "big")
        message = _read(connection, length)
        answer = self._hand(message[0]) if length == 1 else self._card.exchange(message)
        if answer is not None:
            connection.sendall(len(answer).to_bytes(2, "big") + answer)
        if not self._is_seen:
            self._see()

    def _see(self):
        with self._changed:
            self._is_seen = True
            self._changed.notify_all()

    def _hand(self, request):
        if request == GET_ATR:
            return ATR
        with self._card.lock:
            if request == RESET:
                self._card.reset()
            else:
                self._card.power()
        return None
