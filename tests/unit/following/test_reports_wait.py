"""The journal: what a speaker reports outlives the process, and arrives in order."""

from suite.store.remote.journal import MOST, Journal


def waiting(journal):
    return [report["n"] for report in journal.first(10)]


def test_what_was_not_delivered_is_there_after_a_restart(tmp_path):
    Journal(tmp_path / "j").add({"n": 1})

    assert waiting(Journal(tmp_path / "j")) == [1]


def test_what_was_delivered_is_not(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.add({"n": 1})

    journal.delivered(journal.first(1))

    assert waiting(journal) == waiting(Journal(tmp_path / "j")) == []


def test_what_came_during_the_delivery_stays(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.add({"n": 1})
    batch = journal.first(10)
    journal.add({"n": 2})

    journal.delivered(batch)

    assert waiting(journal) == [2]


def test_serials_count_up_and_a_restart_begins_another_row(tmp_path):
    first = Journal(tmp_path / "j")
    first.add({"n": 1})
    first.add({"n": 2})
    second = Journal(tmp_path / "j")
    second.add({"n": 3})

    nonces, numbers = zip(*(each["serial"].split("-") for each in second.first(3)), strict=True)

    assert (len(set(nonces)), numbers) == (2, ("1", "2", "1"))


def test_a_line_that_was_cut_off_is_skipped(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.add({"n": 1})
    with (tmp_path / "j").open("a") as file:
        file.write('{"n": 2, "ser')

    assert waiting(Journal(tmp_path / "j")) == [1]


def test_the_file_is_for_its_owner_alone(tmp_path):
    Journal(tmp_path / "j").add({"n": 1})

    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600


def test_too_many_give_up_the_oldest_but_the_first(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.waiting.extend({"n": number, "serial": f"a-{number}"} for number in range(MOST))

    journal.add({"n": MOST})

    assert (len(journal.waiting), waiting(journal)[:2]) == (MOST, [0, 2])
