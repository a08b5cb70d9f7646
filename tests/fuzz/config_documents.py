"""Fuzzing of configuration documents: ``python tests/fuzz/config_documents.py [-runs=N] [CORPUS]``.

Any octets are read as a file and then as the content of an old ConfigMap; reading may tell problems, and must not raise,
hang or grow. With atheris the interpreter's branches steer the search; without it (no wheel for every Python)
random changes of the reference do, for as many runs as asked.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suite.config.convert import to_native, to_resources
from suite.config.document import from_object, read_text
from suite.config.loading import load

SEED = (Path(__file__).resolve().parents[2] / "suite" / "config" / "reference.yaml").read_bytes()


def one(octets: bytes) -> None:
    """One input; every promise of reading is checked on it."""
    text = octets.decode("utf-8", errors="replace")
    wrapped = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"config": text}}
    for documents in (read_text(text, "fuzz"), from_object(wrapped)):
        outcome = load(documents)
        assert (outcome.configuration is None) == bool(outcome.errors)
        assert all(problem.code and str(problem) for problem in outcome.problems)
        resources = to_resources(documents).objects
        to_native([document for each in resources for document in from_object(each)])


def changed(octets: bytes, chance: random.Random) -> bytes:
    """The input with a few random changes: octets, lines, lengths."""
    lines = octets.splitlines(keepends=True)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                del lines[place : place + chance.randint(1, 5)]
                lines = lines or [b"\n"]
            case 1:
                lines.insert(place, chance.choice(lines))
            case 2:
                lines[place] = lines[place].replace(
                    b":", chance.choice([b"", b": :", b": *", b": &a ", b": !", b": [", b": {"]), 1
                )
            case _:
                octet = bytearray(lines[place])
                octet[chance.randrange(len(octet))] = chance.randrange(256)
                lines[place] = bytes(octet)
    return b"".join(lines)


def main(arguments: list[str]) -> None:
    """Run with atheris where it is installed, else random changes."""
    runs = next((int(each.removeprefix("-runs=")) for each in arguments if each.startswith("-runs=")), 10_000)
    try:
        import atheris
    except ImportError:
        chance = random.Random(1)
        for _ in range(runs):
            one(changed(SEED, chance))
        return
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
