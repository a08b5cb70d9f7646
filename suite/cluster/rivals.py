"""Where another load balancer's speakers run: while one does, ours stand by.  Pure.

MetalLB labels the pods of its DaemonSet ``component: speaker``, its Helm chart ``app.kubernetes.io/component: speaker``.  A pod
counts until it is gone or has ended: one that crashed comes back, and one that is being deleted answers until its end.
"""

from collections.abc import Mapping
from typing import Any

from suite.cluster.convert import Key

SPEAKER_LABELS = ("component", "app.kubernetes.io/component")


class Rivals:
    """The speakers of another load balancer, by pod."""

    def __init__(self) -> None:
        self._nodes: dict[Key, str] = {}

    def put(self, key: Key, item: Mapping[str, Any]) -> str:
        """A pod is new or different; the node that it concerns, empty for none."""
        before = self._nodes.pop(key, "")
        if is_speaking(item):
            self._nodes[key] = str((item.get("spec") or {}).get("nodeName"))
        return self._nodes.get(key, before)

    def remove(self, key: Key) -> str:
        """A pod is gone; the node that it concerned, empty for none."""
        return self._nodes.pop(key, "")

    def keys(self) -> list[Key]:
        """The pods that count."""
        return list(self._nodes)

    def is_on(self, node: str) -> bool:
        """Whether one runs on a node."""
        return node in self._nodes.values()


def is_speaking(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is a speaker that has a node and has not ended."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    status = pod.get("status") or {}
    if not any(labels.get(label) == "speaker" for label in SPEAKER_LABELS) or not (pod.get("spec") or {}).get(
        "nodeName"
    ):
        return False
    if status.get("phase") in {"Succeeded", "Failed"}:
        return False
    is_leaving = bool((pod.get("metadata") or {}).get("deletionTimestamp"))
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    return not (is_leaving and states and all("terminated" in state for state in states))
