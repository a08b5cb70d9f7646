"""Why something that was asked for does not happen: a value that people get to see everywhere in the same words."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason there is; the value is the metric label and the machine-readable reason of a Condition."""

    # No address.
    NO_POOL = "NoPool"
    POOL_UNKNOWN = "PoolUnknown"
    POOL_NOT_FOR_SERVICE = "PoolNotForService"
    POOL_EXHAUSTED = "PoolExhausted"
    POOL_FAMILY = "PoolFamily"
    POOL_DRAINING = "PoolDraining"
    ADDRESS_NOT_IN_POOL = "AddressNotInPool"
    ADDRESS_IN_OTHER_POOL = "AddressInOtherPool"
    ADDRESS_IN_USE = "AddressInUse"
    ADDRESS_RESERVED = "AddressReserved"
    ADDRESS_DECLINED = "AddressDeclined"
    ADDRESS_FAMILY = "AddressFamily"
    ADDRESS_BUGGY = "AddressBuggy"
    PORT_CLASH = "PortClash"
    SHARING_KEY_DIFFERS = "SharingKeyDiffers"
    BACKEND_DIFFERS = "BackendDiffers"
    INVALID_REQUEST = "InvalidRequest"
    NOT_FOUND = "NotFound"
    """An order names a lease or reservation that does not exist."""
    NOT_ENOUGH_FAMILIES = "NotEnoughFamilies"
    NO_CLUSTER_ADDRESS = "NoClusterAddress"
    OTHER_CLASS = "OtherLoadBalancerClass"
    NO_SECOND_FAMILY = "NoSecondFamily"
    """PreferDualStack, and only one family could be had: the Service has an address, and would like another."""
    RELEASE_WITHHELD = "ReleaseWithheld"
    # An address, but nobody announces it.
    NO_ADVERTISEMENT = "NoMatchingAdvertisement"
    CONFLICTING_ADVERTISEMENTS = "ConflictingAdvertisements"
    SHARED_WITH_SELECTOR = "SharedAddressWithServiceSelector"
    NO_ENDPOINTS = "NoEndpoints"
    NO_LOCAL_ENDPOINTS = "NoLocalEndpoints"
    NODE_EXCLUDED = "NodeExcluded"
    NODE_DRAINED = "NodeDrained"
    STANDING_BY = "StandingBy"
    """Another load balancer's speakers announce it still."""
    NODE_NETWORK_UNAVAILABLE = "NodeNetworkUnavailable"
    NO_USABLE_LINK = "NoUsableLink"
    NETWORK_ADDRESS = "NetworkAddress"
    """It is the number or the broadcast address of the network on the nodes' own links."""
    NO_PRIVILEGE = "NoPrivilege"
    NO_SESSION = "NoBgpSession"
    """Its route is made, and no router that shall have it can be told."""
    # An address, but not under this name.
    NAME_TAKEN = "NameTaken"
    NAME_NOT_GRANTED = "NameNotGranted"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason, and a sentence that names what stands in the way."""

    reason: Reason
    message: str

    def __str__(self) -> str:
        return self.message


def other_class(theirs: str, mine: str) -> Refusal:
    """A Service of the load balancer class ``theirs`` where ``mine`` is served; empty is none."""
    said = f"its load balancer class is {theirs!r}" if theirs else "it names no load balancer class"
    served = (
        f"only those of class {mine!r}" if mine else "those that name none (load-balancer-class in the configuration)"
    )
    return Refusal(Reason.OTHER_CLASS, f"{said}, and this suite serves {served}")
