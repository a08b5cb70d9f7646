"""What an operator writes about DNS reaches the server: who may transfer, with which key, and what is told to whom."""

from ipaddress import ip_address, ip_network

import pytest

from suite.config.document import read_text
from suite.config.loading import load
from suite.dns.name import from_text
from suite.dns.notify import Target
from suite.dns.settings import Key, Transfers
from suite.model.configuration import DnsSettings, Listen, RateLimit
from suite.nameserver.settings import (
    CookieSecretsError,
    TsigKeysError,
    cookie_secret,
    missing_keys,
    read_cookie_secrets,
    read_keys,
    settings_of,
    targets_of,
)

SECRET = b"a secret of thirty-two octets ok"
FILE = """
// made with tsig-keygen
key "transfer" {
    algorithm hmac-sha256;
    secret "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgb2s=";
};
"""
KEY = Key(from_text("transfer."), "hmac-sha256", SECRET)


def test_nobody_may_transfer_unless_it_is_said() -> None:
    assert settings_of(DnsSettings()).transfers == Transfers()


def test_networks_addresses_and_keys_may_transfer() -> None:
    settings = settings_of(DnsSettings(transfer_acl=("10.0.1.9/24", "fd00::53", "key:Transfer.")))

    assert settings.transfers == Transfers(
        ((b"\x0a\x00\x01\x00", 24), (ip_address("fd00::53").packed, 128)), frozenset({from_text("transfer.")})
    )


def test_an_entry_that_is_neither_network_nor_key_is_refused() -> None:
    with pytest.raises(ValueError, match="'nobody' does not appear to be an IPv4 or IPv6 network"):
        settings_of(DnsSettings(transfer_acl=("nobody",)))


def test_the_configuration_refuses_such_an_entry_with_its_place() -> None:
    (problem,) = load(
        read_text("cooling-time: 0\ndns:\n  transfer-acl: ['key:transfer', nobody]\n", "suite.yaml")
    ).problems

    assert (problem.code, problem.path) == ("dns.bad_transfer_acl", "dns.transfer-acl[1]")
    assert "neither a network nor key:NAME" in problem.message


def test_identity_and_ra_are_said_as_written() -> None:
    settings = settings_of(DnsSettings(nsid="rack1", advertise_ra=True))

    assert (settings.identity, settings.advertise_ra) == (b"rack1", True)


def test_servers_of_one_database_make_the_same_cookies_and_those_of_another_do_not() -> None:
    here, there = settings_of(DnsSettings(), epoch="one"), settings_of(DnsSettings(nsid="b"), epoch="one")

    assert here.cookie_secrets == there.cookie_secrets == (cookie_secret("one"),)
    assert cookie_secret("one") != cookie_secret("two")


def test_without_a_database_there_are_no_cookies_yet() -> None:
    assert settings_of(DnsSettings()).cookie_secrets == ()


def test_networks_of_the_own_interfaces_are_spared_by_the_rate_limit() -> None:
    assert settings_of(DnsSettings(), own=[ip_network("192.0.2.0/24")]).spared == ((b"\xc0\x00\x02\x00", 24),)


def test_keys_are_read_as_tsig_keygen_writes_them() -> None:
    assert read_keys(FILE) == (KEY,)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("transfer hmac-sha256 c2VjcmV0\n", "line 1: here a key should stand"),
        (f"{FILE}\nzone x;", "line 8: here a key should stand"),
        (FILE + FILE, "key transfer stands there twice"),
        (FILE.replace("hmac-sha256", "hmac-md5"), "algorithm hmac-md5; use one of hmac-sha1, hmac-sha224"),
        (FILE.replace("algorithm hmac-sha256;", ""), "algorithm missing"),
        (FILE.replace("YSBz", "?"), "its secret is not in Base64"),
        ('key k { algorithm hmac-sha256; secret "c2hvcnQ="; };', "its secret has 5 octets"),
    ],
    ids=["other-format", "something-behind", "twice", "md5", "no-algorithm", "no-base64", "short"],
)
def test_a_bad_file_of_keys_is_refused_as_a_whole(text: str, fault: str) -> None:
    with pytest.raises(TsigKeysError, match=fault):
        read_keys(text)


def test_a_refused_key_never_shows_its_secret() -> None:
    with pytest.raises(TsigKeysError) as caught:
        read_keys(FILE.replace("hmac-sha256", "rot13"))

    assert "YSBz" not in str(caught.value)


def test_a_key_that_the_file_does_not_hold_is_told() -> None:
    assert missing_keys(DnsSettings(transfer_acl=("key:other", "key:transfer")), [KEY]) == ("other",)


def test_secondaries_are_told_of_changes_with_the_key_they_transfer_with() -> None:
    notify = (Listen(ip_address("10.0.1.54"), 53),)

    assert targets_of(DnsSettings(notify=notify), (KEY,)) == (Target("10.0.1.54", 53),)
    assert targets_of(DnsSettings(notify=notify, transfer_acl=("key:transfer",)), (KEY,)) == (
        Target("10.0.1.54", 53, KEY),
    )


def test_the_rate_limit_is_that_of_the_configuration() -> None:
    limit = RateLimit(rate=9, slip=0, ipv4_prefix=32, ipv6_prefix=64, exempt=(ip_network("192.0.2.0/24"),))
    settings = settings_of(DnsSettings(rate_limit=limit), own=[ip_network("198.51.100.0/24")])

    assert (settings.rate, settings.slip, settings.prefixes, settings.spares_private) == (9, 0, (32, 64), True)
    assert settings.spared == ((b"\xc0\x00\x02\x00", 24), (b"\xc6\x33\x64\x00", 24))


def test_local_networks_are_limited_on_request() -> None:
    limit = RateLimit(exempt_local=False)
    settings = settings_of(DnsSettings(rate_limit=limit), own=[ip_network("198.51.100.0/24")])

    assert (settings.spared, settings.spares_private) == ((), False)


def test_cookie_secrets_of_a_file_take_the_place_of_the_databases() -> None:
    secrets = read_cookie_secrets("# new\n" + "0f" * 16 + "\n\n" + "AB" * 16 + " # old\n")

    assert secrets == (b"\x0f" * 16, b"\xab" * 16)
    assert settings_of(DnsSettings(), epoch="one", cookies=secrets).cookie_secrets == secrets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "0 secrets"),
        ("0f" * 15, "line 1"),
        ("# x\n" + "zz" * 16, "line 2"),
        ("0f" * 16 + "\n" + "secret", "line 2"),
        ("\n".join(["0f" * 16] * 5), "5 secrets"),
    ],
    ids=["empty", "short", "no-digits", "words", "many"],
)
def test_a_bad_file_of_cookie_secrets_says_where_and_quotes_nothing(text: str, told: str) -> None:
    with pytest.raises(CookieSecretsError, match=told) as caught:
        read_cookie_secrets(text)

    assert "secret" not in str(caught.value).replace("secrets", "").replace("a secret is", "")
