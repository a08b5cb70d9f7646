"""What a Service wishes for in its annotations: pool, addresses, sharing key, names, TTL.

Pure.  Three prefixes are read: ``suite/`` (ours), ``metallb.io/`` and the older ``metallb.universe.tf/``; where several
say the same thing, the first in this order wins, and the oldest one draws a warning (MetalLB controller/service.go).
Names and TTL are also read from external-dns, under both of its prefixes.

Two kinds of rubbish are told apart.  A wish about the *address* that cannot be understood becomes a Refusal: to hand
out some other address than the one meant would be worse than none.  A wish about a *name* that cannot be understood
becomes a warning and is left out: a typing error in a TTL must not cost anybody an address.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suite.model.address import Address, parse_address
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal

OURS = "suite/"
CURRENT = "metallb.io/"
DEPRECATED = "metallb.universe.tf/"
EXTERNAL_DNS = ("external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/")

POOL = "address-pool"
ADDRESSES = "loadBalancerIPs"
SHARING_KEY = "allow-shared-ip"
ALLOCATED_FROM = "metallb.io/ip-allocated-from-pool"
"""Written by the controller, never read."""

MAX_TTL = 2**31 - 1
"""Seconds, RFC 2181 section 8."""
MAX_NAMES = 64
"""Names of one Service; more is a mistake or an attack."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the annotations ask for; ``fault`` where a wish about the address makes no sense."""

    pool: str = ""
    requested: tuple[Address, ...] = ()
    sharing_key: str = ""
    hostnames: tuple[str, ...] = ()
    ttl: int | None = None
    publish: bool | None = None
    wildcard: bool = False
    fault: Refusal | None = None
    warnings: tuple[Problem, ...] = ()


def read_wishes(annotations: Mapping[str, str], load_balancer_ip: str = "") -> Wishes:
    """The wishes in ``annotations`` and in ``spec.loadBalancerIP``."""
    if not annotations and not load_balancer_ip:
        return _NONE
    warnings: list[Problem] = list(_deprecations(annotations))
    requested, fault = _requested(annotations, load_balancer_ip)
    return Wishes(
        pool=_ask(annotations, POOL).strip(),
        requested=requested,
        sharing_key=_ask(annotations, SHARING_KEY),
        hostnames=_hostnames(annotations, warnings),
        ttl=_ttl(annotations, warnings),
        publish=_flag(annotations, "publish", warnings),
        wildcard=_flag(annotations, "wildcard", warnings) or False,
        fault=fault,
        warnings=tuple(warnings),
    )


_NONE = Wishes()


def _ask(annotations: Mapping[str, str], name: str) -> str:
    for prefix in (OURS, CURRENT, DEPRECATED):
        if prefix + name in annotations:
            return annotations[prefix + name]
    return ""


def _deprecations(annotations: Mapping[str, str]) -> Iterator[Problem]:
    for name in (POOL, ADDRESSES, SHARING_KEY):
        if DEPRECATED + name in annotations:
            yield _warning(DEPRECATED + name, f"is deprecated; write {CURRENT}{name}", "annotation.deprecated")


def _requested(annotations: Mapping[str, str], load_balancer_ip: str) -> tuple[tuple[Address, ...], Refusal | None]:
    wanted = _ask(annotations, ADDRESSES)
    if wanted and load_balancer_ip:
        return (), _invalid(f"both spec.loadBalancerIP and the annotation {ADDRESSES} ask for an address; keep one")
    found: list[Address] = []
    for text in (wanted or load_balancer_ip).split(","):
        if not text.strip() and not wanted.strip(", "):
            continue
        try:
            found.append(parse_address(text))
        except ValueError:
            return (), _invalid(f"{shown(text.strip())} is no IP address")
    if len({address.version for address in found}) < len(found):
        return (), _invalid(f"{shown(wanted)} asks for more than one address of a family")
    return tuple(sorted(found, key=lambda address: address.version)), None


def _hostnames(annotations: Mapping[str, str], warnings: list[Problem]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for key in (OURS + "hostname", *(prefix + "hostname" for prefix in EXTERNAL_DNS)):
        for text in annotations.get(key, "").split(","):
            name = text.strip().lower()
            if not name:
                continue
            if not is_hostname(name):
                warnings.append(_warning(key, f"{shown(name)} is no host name", "annotation.hostname"))
            elif len(names) >= MAX_NAMES:
                warnings.append(_warning(key, f"more than {MAX_NAMES} names", "annotation.hostname"))
                return tuple(names)
            else:
                names[name if key.startswith(OURS) else _absolute(name)] = None
    return tuple(names)


def _absolute(name: str) -> str:
    """external-dns takes every name with a dot in it as complete."""
    return name if name.endswith(".") or "." not in name else name + "."


def is_hostname(name: str) -> bool:
    """Whether ``name`` (lower case) can be a name in DNS: labels of letters, digits, ``-`` and ``_``; ``*`` at the front."""
    labels = name.removesuffix(".").split(".")
    if labels[0] == "*" and len(labels) > 1:
        labels = labels[1:]
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _ttl(annotations: Mapping[str, str], warnings: list[Problem]) -> int | None:
    for key in (OURS + "ttl", *(prefix + "ttl" for prefix in EXTERNAL_DNS)):
        if key not in annotations:
            continue
        seconds = parse_ttl(annotations[key].strip())
        if seconds is not None:
            return seconds
        message = f"{shown(annotations[key])} is no TTL; write seconds, or a duration such as 1m30s"
        warnings.append(_warning(key, message, "annotation.ttl"))
    return None


def parse_ttl(text: str) -> int | None:
    """Seconds (``30``) or a duration (``1m30s``); None where it is neither, or beyond RFC 2181's 2^31-1."""
    if text.isascii() and text.isdigit() and len(text) <= 10:
        seconds = int(text)
    elif text and (match := _DURATION.fullmatch(text)):
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    else:
        return None
    return seconds if seconds <= MAX_TTL else None


def _flag(annotations: Mapping[str, str], name: str, warnings: list[Problem]) -> bool | None:
    text = annotations.get(OURS + name)
    if text is None:
        return None
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        warnings.append(_warning(OURS + name, f"{shown(text)} is neither true nor false", "annotation.flag"))
        return None
    return word in _TRUE


def shown(text: str) -> str:
    """``text`` quoted for a message, at most 60 characters of it, control characters escaped."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _invalid(message: str) -> Refusal:
    return Refusal(Reason.INVALID_REQUEST, message)


def _warning(key: str, message: str, code: str) -> Problem:
    return Problem(f'metadata.annotations["{key}"]', message, code, is_warning=True)
