"""Record types and response codes by number and by mnemonic (IANA DNS parameters; RFC 3597 for the rest)."""

from __future__ import annotations

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT = 1, 2, 5, 6, 12, 13, 15, 16
AAAA, LOC, SRV, NAPTR, DNAME, OPT, DS = 28, 29, 33, 35, 39, 41, 43
RRSIG, NSEC, DNSKEY, TLSA, SVCB, HTTPS, CAA = 46, 47, 48, 52, 64, 65, 257
TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY = 249, 250, 251, 252, 253, 254, 255

IN, CH, HS, NONE, CLASS_ANY = 1, 3, 4, 254, 255

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, NOTAUTH = 0, 1, 2, 3, 4, 5, 6, 9
BADVERS, BADSIG, BADKEY, BADTIME, BADTRUNC, BADCOOKIE = 16, 16, 17, 18, 22, 23

QUERY, NOTIFY, UPDATE = 0, 4, 5

_MNEMONICS = {
    "A": A, "NS": NS, "CNAME": CNAME, "SOA": SOA, "PTR": PTR, "HINFO": HINFO, "MX": MX, "TXT": TXT, "RP": 17, "AFSDB": 18,
    "X25": 19, "ISDN": 20, "RT": 21, "PX": 26, "NID": 104, "L32": 105, "L64": 106, "LP": 107,
    "SIG": 24, "KEY": 25, "AAAA": AAAA, "LOC": LOC, "SRV": SRV, "NAPTR": NAPTR, "KX": 36, "CERT": 37, "DNAME": DNAME,
    "OPT": OPT, "APL": 42, "DS": DS, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": RRSIG, "NSEC": NSEC, "DNSKEY": DNSKEY,
    "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": TLSA, "SMIMEA": 53, "HIP": 55, "CDS": 59, "CDNSKEY": 60,
    "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": SVCB, "HTTPS": HTTPS, "SPF": 99, "EUI48": 108, "EUI64": 109,
    "TKEY": TKEY, "TSIG": TSIG, "IXFR": IXFR, "AXFR": AXFR, "MAILB": MAILB, "MAILA": MAILA, "ANY": ANY, "URI": 256, "CAA": CAA,
}  # fmt: skip
_NAMES = {number: text for text, number in _MNEMONICS.items()}
_RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip

META = frozenset({OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY})
"""Types that exist in questions or messages only and are never stored in a zone (RFC 6895 section 3.1)."""


def type_from_text(text: str) -> int:
    """Number of a mnemonic or of `TYPE123` (RFC 3597 section 5); ValueError when it is neither."""
    upper = text.upper()
    if upper in _MNEMONICS:
        return _MNEMONICS[upper]
    if upper.startswith("TYPE") and upper[4:].isascii() and upper[4:].isdigit() and int(upper[4:]) <= 0xFFFF:
        return int(upper[4:])
    raise ValueError(f"{text!r} is no record type")


def type_to_text(number: int) -> str:
    """Mnemonic of a type, or `TYPE123` (RFC 3597 section 5)."""
    return _NAMES.get(number) or f"TYPE{number}"


def rcode_to_text(number: int) -> str:
    """Mnemonic of a response code, or `RCODE12`."""
    return _RCODES.get(number) or f"RCODE{number}"
