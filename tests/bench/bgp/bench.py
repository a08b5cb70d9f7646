"""BGP: a large table into BIRD beside GoBGP and ExaBGP, many sessions in one process, and a node that falls silent.

    ./suite.sh bench bgp                          (root for the routers; without it only what needs none)

Three scripts in one run, each with its goals; each can be run alone with more options.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (("many_sessions.py", False), ("table_into_bird.py", True), ("silent_node.py", True))


def main() -> int:
    worst = 0
    for name, needs_root in SCRIPTS:
        if needs_root and os.geteuid():
            print(f"{name}: skipped, it needs root for network namespaces")
            continue
        print(f"-- {name}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, str(HERE / name), *sys.argv[1:]], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
