# SPDX-License-Identifier: Apache-2.0
"""As much of PKCS #11 as it takes to stand between two calls of a module: log in, lose the card, then sign.

For what pkcs11-tool cannot show, since it makes one pass and ends. Return values come back as they are, never as an
exception: the tests are about them. Not keystay's code, so that a mistake there does not repeat itself here.
"""

import ctypes

OK, FUNCTION_FAILED, FUNCTION_NOT_SUPPORTED = 0, 0x06, 0x54
DEVICE_ERROR, DEVICE_REMOVED, PIN_INCORRECT, PIN_LOCKED = 0x30, 0x32, 0xA0, 0xA4
GENERAL_ERROR, OPERATION_ACTIVE, SESSION_HANDLE_INVALID, USER_NOT_LOGGED_IN = 0x05, 0x90, 0xB3, 0x101
USER, CONTEXT_SPECIFIC = 1, 2
SERIAL_SESSION = 4
PRIVATE_KEY, CLASS, ID = 3, 0x000, 0x102
RSA_PKCS, SHA256_RSA_PKCS, ECDSA = 0x01, 0x40, 0x1041
COUNT_LOW, FINAL_TRY, LOCKED = 0x10000, 0x20000, 0x40000
TOKEN_FLAGS_AT = 96  # after label, manufacturer, model and serial number

LIBRARY_VERSION_AT = 80  # in CK_INFO, its last

INDEX = {"C_Initialize": 0, "C_Finalize": 1, "C_GetInfo": 2, "C_GetSlotList": 4, "C_GetTokenInfo": 6, "C_OpenSession": 12,
         "C_CloseAllSessions": 14, "C_Login": 18, "C_FindObjectsInit": 26, "C_FindObjects": 27,
         "C_FindObjectsFinal": 28, "C_SignInit": 42, "C_Sign": 43}

Ulong = ctypes.c_ulong


class Attribute(ctypes.Structure):
    _fields_ = [("type", Ulong), ("value", ctypes.c_void_p), ("length", Ulong)]


class Mechanism(ctypes.Structure):
    _fields_ = [("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong)]


class Module:
    """One module, initialised; as a context manager it is finalised."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        functions = ctypes.c_void_p()
        library.C_GetFunctionList(ctypes.byref(functions))
        self._list = (ctypes.c_void_p * 68).from_address(functions.value + ctypes.sizeof(ctypes.c_void_p))
        self._session = Ulong()
        assert self._call("C_Initialize", None) == OK

    def _call(self, name, *arguments):
        function = ctypes.CFUNCTYPE(Ulong)(self._list[INDEX[name]])
        return function(*arguments)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call("C_Finalize", None)

    def library_version(self):
        """(2, 30) is Yubico's 2.3.0, (0, 23) OpenSC's 0.23."""
        info = ctypes.create_string_buffer(256)
        assert self._call("C_GetInfo", info) == OK
        return tuple(info.raw[LIBRARY_VERSION_AT:LIBRARY_VERSION_AT + 2])

    def slots(self):
        """With a token in them. The first call, without a list, makes modules look at the readers anew."""
        count = Ulong()
        self._call("C_GetSlotList", ctypes.c_ubyte(0), None, ctypes.byref(count))
        count = Ulong(16)
        found = (Ulong * count.value)()
        self._call("C_GetSlotList", ctypes.c_ubyte(1), found, ctypes.byref(count))
        return list(found[:count.value])

    def token_flags(self):
        info = ctypes.create_string_buffer(256)
        assert self._call("C_GetTokenInfo", Ulong(self.slots()[0]), info) == OK
        return Ulong.from_buffer(info, TOKEN_FLAGS_AT).value

    def open(self):
        slots = self.slots()
        assert slots, "no token"
        return self._call("C_OpenSession", Ulong(slots[0]), Ulong(SERIAL_SESSION), None, None,
                          ctypes.byref(self._session))

    def close_all(self):
        return self._call("C_CloseAllSessions", Ulong(self.slots()[0]))

    def login(self, pin, user=USER):
        return self._call("C_Login", self._session, Ulong(user), pin.encode(), Ulong(len(pin.encode())))

    def find(self, key_id):
        """Handles of the private keys with this CKA_ID."""
        value_class, value_id = Ulong(PRIVATE_KEY), (ctypes.c_ubyte * 1)(key_id)
        template = (Attribute * 2)(
            Attribute(CLASS, ctypes.addressof(value_class), ctypes.sizeof(value_class)),
            Attribute(ID, ctypes.addressof(value_id), 1))
        assert self._call("C_FindObjectsInit", self._session, template, Ulong(2)) == OK
        found, count = (Ulong * 4)(), Ulong()
        assert self._call("C_FindObjects", self._session, found, Ulong(4), ctypes.byref(count)) == OK
        assert self._call("C_FindObjectsFinal", self._session) == OK
        return list(found[:count.value])

    def sign_init(self, key, mechanism=SHA256_RSA_PKCS):
        return self._call("C_SignInit", self._session, ctypes.byref(Mechanism(mechanism, None, 0)), Ulong(key))

    def sign(self, data):
        """The return value and the signature, empty when there is none."""
        signature, length = ctypes.create_string_buffer(1024), Ulong(1024)
        value = self._call("C_Sign", self._session, data, Ulong(len(data)), signature, ctypes.byref(length))
        return value, signature.raw[:length.value] if value == OK else b""

    def sign_once(self, key, data, mechanism=SHA256_RSA_PKCS):
        value = self.sign_init(key, mechanism)
        return self.sign(data) if value == OK else (value, b"")
