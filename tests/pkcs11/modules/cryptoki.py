# SPDX-License-Identifier: Apache-2.0
"""A small PKCS#11 caller on ctypes, to provision test tokens and to look at them.

For what command-line tools cannot do on every module: pass initialisation arguments, choose between tokens of one name,
make a thousand keys in one process, show a return value as it came. Must not share code with keystay, whose calls it
helps to check; must never write a PIN anywhere. One thread; a return value that is not CKR_OK raises CryptokiError.
"""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_ubyte, c_ulong, c_void_p

CKU_SO, CKU_USER = 0, 1
CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY = 1, 2, 3
CKK_RSA, CKK_EC, CKC_X_509 = 0, 3, 0
CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_VALUE = 0x0, 0x1, 0x2, 0x3, 0x11
CKA_KEY_TYPE, CKA_ID, CKA_SENSITIVE, CKA_SIGN, CKA_VERIFY = 0x100, 0x102, 0x103, 0x108, 0x10A
CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT = 0x120, 0x121, 0x122
CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_SENSITIVE = 0x162, 0x163, 0x164, 0x165
CKA_CERTIFICATE_TYPE, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_SUBJECT = 0x80, 0x81, 0x82, 0x101
CKA_EC_PARAMS, CKA_EC_POINT, CKA_ALWAYS_AUTHENTICATE = 0x180, 0x181, 0x202
CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, CKM_RSA_X_509, CKM_RSA_PKCS_PSS = 0x0, 0x1, 0x3, 0xD
CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS = 0x40, 0x43
CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_SHA256 = 0x1040, 0x1041, 0x250
CKG_MGF1_SHA256 = 2
CKF_RW_SESSION, CKF_SERIAL_SESSION, CKF_OS_LOCKING_OK = 2, 4, 2
CKF_USER_PIN_INITIALIZED, CKF_TOKEN_INITIALIZED = 0x8, 0x400
UNAVAILABLE = c_ulong(-1).value

# PKCS #11 v2.40 §3.4: the order of the list's members, up to the last one used here.
FUNCTIONS = """
    Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList GetMechanismInfo
    InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState
    SetOperationState Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue
    SetAttributeValue FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal
    DecryptInit Decrypt DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign
    SignUpdate SignFinal SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit
    VerifyRecover DigestEncryptUpdate DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey
    GenerateKeyPair
""".split()


class Attribute(ctypes.Structure):
    _fields_ = [("type", c_ulong), ("value", c_void_p), ("len", c_ulong)]


class Mechanism(ctypes.Structure):
    _fields_ = [("type", c_ulong), ("parameter", c_void_p), ("len", c_ulong)]


class PssParameters(ctypes.Structure):
    _fields_ = [("hash", c_ulong), ("mgf", c_ulong), ("salt_len", c_ulong)]


class InitializeArgs(ctypes.Structure):
    _fields_ = [("mutexes", c_void_p * 4), ("flags", c_ulong), ("reserved", c_char_p)]


class TokenInfo(ctypes.Structure):
    _fields_ = [
        ("label", c_ubyte * 32),
        ("manufacturer", c_ubyte * 32),
        ("model", c_ubyte * 16),
        ("serial", c_ubyte * 16),
        ("flags", c_ulong),
        ("numbers", c_ulong * 10),
        ("versions", c_ubyte * 4),
        ("time", c_ubyte * 16),
    ]

    def text(self, field):
        return bytes(getattr(self, field)).rstrip(b" \0").decode("utf-8", "replace")


class CryptokiError(Exception):
    def __init__(self, call, rv):
        super().__init__(f"C_{call}: 0x{rv:X}")
        self.call, self.rv = call, rv


def template(attributes):
    """{type: bool | int | bytes} as a CK_ATTRIBUTE array that keeps its values alive."""
    array = (Attribute * len(attributes))()
    array.kept = []
    for slot, (kind, value) in zip(array, attributes.items()):
        if isinstance(value, bool):
            value = bytes([value])
        elif isinstance(value, int):
            value = bytes(c_ulong(value))
        held = ctypes.create_string_buffer(value, max(len(value), 1))
        array.kept.append(held)
        slot.type, slot.value, slot.len = kind, ctypes.cast(held, c_void_p), len(value)
    return array


def mechanism(kind, parameter=None):
    made = Mechanism(kind, None, 0)
    if parameter is not None:
        held = ctypes.create_string_buffer(parameter, len(parameter)) if isinstance(parameter, bytes) else parameter
        made.kept = held
        made.parameter, made.len = ctypes.cast(ctypes.pointer(held), c_void_p), ctypes.sizeof(held)
    return made


class Module:
    """A loaded and initialised module: `with Module(path, args) as module`."""

    def __init__(self, path, args=""):
        library = ctypes.CDLL(path)
        functions = POINTER(c_void_p)()
        library.C_GetFunctionList.restype = c_ulong
        rv = library.C_GetFunctionList(byref(functions))
        if rv != 0:
            raise CryptokiError("GetFunctionList", rv)
        # The list opens with a two-byte version, which takes the room of a pointer.
        prototype = ctypes.CFUNCTYPE(c_ulong)
        self._calls = {name: prototype(functions[i + 1]) for i, name in enumerate(FUNCTIONS)}
        self._library = library
        initialize = InitializeArgs(flags=CKF_OS_LOCKING_OK, reserved=args.encode() if args else None)
        self.call("Initialize", byref(initialize))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("Finalize", None)

    def raw(self, name, *arguments):
        """The CK_RV as it is. Integers go as CK_ULONG."""
        return self._calls[name](*[c_ulong(a) if isinstance(a, int) else a for a in arguments])

    def call(self, name, *arguments):
        rv = self.raw(name, *arguments)
        if rv != 0:
            raise CryptokiError(name, rv)

    def slots(self, with_token=True):
        """{slot id: TokenInfo}"""
        ids, n = (c_ulong * 64)(), c_ulong(64)
        self.call("GetSlotList", int(with_token), ids, byref(n))
        found = {}
        for slot in ids[: n.value]:
            info = TokenInfo()
            if self.raw("GetTokenInfo", slot, byref(info)) == 0:
                found[slot] = info
        return found

    def slot_of(self, label, serial=None):
        fit = [
            slot
            for slot, info in self.slots().items()
            if info.text("label") == label and serial in (None, info.text("serial"))
        ]
        if len(fit) != 1:
            raise LookupError(f"{len(fit)} tokens are called {label!r} (serial {serial})")
        return fit[0]

    def mechanisms(self, slot):
        n = c_ulong(0)
        self.call("GetMechanismList", slot, None, byref(n))
        types = (c_ulong * n.value)()
        self.call("GetMechanismList", slot, types, byref(n))
        return set(types[: n.value])

    def session(self, slot, pin=None, user=CKU_USER):
        return Session(self, slot, pin, user)


class Session:
    def __init__(self, module, slot, pin, user):
        self.module = module
        handle = c_ulong(0)
        module.call("OpenSession", slot, CKF_RW_SESSION | CKF_SERIAL_SESSION, None, None, byref(handle))
        self.handle = handle.value
        if pin is not None:
            module.call("Login", self.handle, user, pin, len(pin))

    def call(self, name, *arguments):
        self.module.call(name, self.handle, *arguments)

    def find(self, wanted, at_most=64):
        attributes, handles, n = template(wanted), (c_ulong * at_most)(), c_ulong(0)
        self.call("FindObjectsInit", attributes, len(attributes))
        self.call("FindObjects", handles, at_most, byref(n))
        self.call("FindObjectsFinal")
        return list(handles[: n.value])

    def find_one(self, wanted):
        found = self.find(wanted)
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects fit {wanted}")
        return found[0]

    def get(self, handle, kind):
        """The attribute's bytes, or None if the module does not tell."""
        attribute = Attribute(kind, None, 0)
        rv = self.module.raw("GetAttributeValue", self.handle, handle, byref(attribute), 1)
        if rv != 0 or attribute.len == UNAVAILABLE:
            return None
        # Exactly as much room as it asks for: NSS finds more than a CK_ULONG's too small for a CK_ULONG.
        held = ctypes.create_string_buffer(attribute.len)
        attribute.value = ctypes.cast(held, c_void_p)
        self.call("GetAttributeValue", handle, byref(attribute), 1)
        return held.raw[: attribute.len]

    def create(self, attributes):
        handle, made = c_ulong(0), template(attributes)
        self.call("CreateObject", made, len(made), byref(handle))
        return handle.value

    def generate_pair(self, kind, public, private):
        public, private = template(public), template(private)
        handles = c_ulong(0), c_ulong(0)
        how = mechanism(kind)
        self.call("GenerateKeyPair", byref(how), public, len(public), private, len(private), *map(byref, handles))
        return handles[0].value, handles[1].value

    def sign(self, how, key, data):
        signature, n = ctypes.create_string_buffer(1024), c_ulong(1024)
        self.call("SignInit", byref(how), key)
        self.call("Sign", data, len(data), signature, byref(n))
        return signature.raw[: n.value]
