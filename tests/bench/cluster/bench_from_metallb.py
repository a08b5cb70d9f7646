"""How soon our speakers take over from MetalLB's: the move of `suite migrate-from-metallb --go` in the tests' lab, as root.

    python tests/bench/cluster/bench_from_metallb.py [--rounds N]

Two nodes of network namespaces, install.yaml's pods as processes, stand-ins for MetalLB's speakers; a laptop on the LAN asks for each
address every 20 ms by ARP and Neighbor Discovery, as the command does for whoever moves.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "peers"))

from deployed import PATIENCE
from fix_netns import eventually, network
from test_from_metallb import moved, standing_beside_metallb

FIGURES = {
    "first answer of ours after the last of its": r"ours answered (\d+\.\d+) s",
    "longest silence, ARP": r"answer to ARP: (\d+\.\d+) s",
    "longest silence, Neighbor Discovery": r"answer to Neighbor Discovery: (\d+\.\d+) s",
}


def measured() -> dict[str, float]:
    with network() as lab, TemporaryDirectory() as folder, standing_beside_metallb(lab, Path(folder)) as lan:
        assert eventually(lambda: lan.are_ours() and lan.know_each_other(), PATIENCE, 0.1)
        said = moved(lan, Path(folder))
    found = {name: re.search(pattern, said) for name, pattern in FIGURES.items()}
    return {name: float(match[1]) for name, match in found.items() if match}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("from metallb: not measured, network namespaces need root")
        return
    rounds = [measured() for _ in range(options.rounds)]
    for name in FIGURES:
        seconds = sorted(each[name] for each in rounds if name in each)
        print(
            f"from metallb: {name}: {', '.join(f'{each:.2f}' for each in seconds)} s in {len(seconds)} moves (goal 1 s)"
        )


if __name__ == "__main__":
    main()
