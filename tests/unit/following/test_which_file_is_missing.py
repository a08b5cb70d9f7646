"""Who cannot follow a controller for want of a file of its own is told which file, before anything is asked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.store.remote.client import Client, Remote, Unreachable

URL = "https://127.0.0.1:9"


def why(remote: Remote) -> str:
    with pytest.raises(Unreachable) as caught:
        Client(remote).report({})
    return str(caught.value)


@pytest.mark.parametrize(
    "follower",
    [
        pytest.param(lambda path: Remote(URL, token_file=path), id="token"),
        pytest.param(lambda path: Remote(URL, ca_file=path), id="authority"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, follower: Callable[[Path], Remote]) -> None:
    path = tmp_path / "nothing"

    said = why(follower(path))

    assert said == f"{URL} is not asked, because {path} cannot be read: No such file or directory"


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    said = why(Remote(URL, token_file=tmp_path))

    assert said == f"{URL} is not asked, because {tmp_path} cannot be read: Is a directory"


def test_a_file_that_is_no_token_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")

    assert (
        why(Remote(URL, token_file=path)) == f"{URL}: {path} holds something else than a token or a certificate in PEM"
    )
