"""Reviews of tokens are kept until the tokens end, and nothing of the tokens themselves."""

from suite.model.token import Reviewed

SPEAKER = Reviewed("suite-system/suite-speaker", 1000.0, "compute1")


def test_a_review_is_there_for_the_next_who_opens_the_database(db):
    db.open().keep_review("aa", SPEAKER, 0.0)

    assert db.open().review("aa") == SPEAKER


def test_of_a_token_nobody_asked_about_nothing_is_known(db):
    assert db.open().review("aa") is None


def test_what_has_ended_goes_when_the_next_is_kept(db):
    store = db.open()
    store.keep_review("aa", SPEAKER, 0.0)

    store.keep_review("bb", Reviewed("suite-system/suite-speaker", 3000.0), 1000.0)

    assert (store.review("aa"), db.rows("SELECT name FROM meta WHERE name LIKE 'review:%'")) == (None, [("review:bb",)])


def test_a_review_is_no_part_of_a_snapshot(db):
    store = db.open()
    before = store.read()

    store.keep_review("aa", SPEAKER, 0.0)

    assert (store.refresh(before).revision, store.read()) == (before.revision, before)
