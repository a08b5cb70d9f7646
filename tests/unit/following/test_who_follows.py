"""A controller knows its followers by their questions: how their roles stand, who is gone, and not more than it can hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from suite.model.status import Instance
from suite.store.remote.standing import MOST, Standing, read_standing, written
from suite.web.followers import Followers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPEAKER = Instance("speaker", "n1", "1.0", "e", 7)
N1 = Standing("n1", (SPEAKER,))


def test_what_a_follower_says_is_shown():
    followers = Followers()

    followers.hear(N1, NOON, 100.0)

    assert [(each.instance, each.since, each.gone) for each in followers.fellows(NOON, 101.0)] == [
        (SPEAKER, NOON, None)
    ]


def test_one_that_asks_no_more_is_gone_after_some_waits():
    followers = Followers()
    followers.hear(N1, NOON, 100.0)

    gone = [followers.fellows(NOON, uptime)[0].gone for uptime in (145.0, 145.1)]

    assert gone == [None, NOON + timedelta(seconds=45)]


def test_one_that_asks_again_is_there_as_before():
    followers = Followers()
    followers.hear(N1, NOON, 100.0)

    followers.hear(N1, NOON + timedelta(seconds=30), 130.0)

    assert [(each.since, each.gone) for each in followers.fellows(NOON, 170.0)] == [(NOON, None)]


def test_one_that_ends_in_order_is_forgotten():
    followers = Followers()
    followers.hear(N1, NOON, 100.0)

    followers.hear(replace(N1, is_ending=True), NOON, 101.0)

    assert followers.fellows(NOON, 101.0) == ()


def test_one_that_is_gone_is_shown_for_a_day():
    followers = Followers()
    followers.hear(N1, NOON, 100.0)

    shown = [bool(followers.fellows(NOON + timedelta(hours=hours), 100.0 + 3600 * hours)) for hours in (24, 25)]

    assert shown == [True, False]


def test_two_programs_of_one_machine_are_told_beside_each_other():
    followers = Followers()
    followers.hear(N1, NOON, 100.0)

    followers.hear(Standing("n1", (replace(SPEAKER, role="nameserver"),)), NOON, 101.0)

    assert [each.instance.role for each in followers.fellows(NOON, 102.0)] == ["nameserver", "speaker"]


def test_beyond_the_most_the_one_that_asked_longest_ago_is_forgotten():
    followers = Followers(most=3)
    for number in range(3):
        followers.hear(Standing(f"n{number}", (replace(SPEAKER, node=f"n{number}"),)), NOON, 100.0)
    followers.hear(Standing("n0", (replace(SPEAKER, node="n0"),)), NOON, 101.0)

    followers.hear(Standing("more", (replace(SPEAKER, node="more"),)), NOON, 102.0)

    nodes = {each.instance.node for each in followers.fellows(NOON, 102.0)}
    assert (len(nodes), "n0" in nodes, "n1" in nodes) == (3, True, False)


def test_what_is_written_is_read():
    ill = Standing("n1", (replace(SPEAKER, reasons=("no CAP_NET_RAW",), notes=("BGP peer gateway: Active",)),))

    assert read_standing(written(ill)) == ill


def test_a_role_with_too_much_to_say_is_still_not_ready():
    notes = tuple("\N{SNOWMAN}" * 300 for _ in range(50))
    text = written(Standing("n1", (replace(SPEAKER, reasons=notes, notes=notes),)))

    standing = read_standing(text)

    assert len(text) <= MOST
    assert not standing.roles[0].is_ready


@pytest.mark.parametrize(
    "standing",
    [
        Standing(""),
        Standing("n1", (replace(SPEAKER, node="n2"),)),
        Standing("n1", (replace(SPEAKER, role="controller"),)),
        Standing("n1", (replace(SPEAKER, version="\x1b[31m"),)),
        Standing("n1", (SPEAKER,) * 5),
        Standing("n" * 254),
    ],
)
def test_what_no_follower_says_of_itself_is_not_shown(standing):
    assert read_standing(written(standing)) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"node": 1}', "x" * 5000])
def test_what_cannot_be_read_is_not_shown(text):
    assert read_standing(text) is None
