"""Text that a database, UTF-8 and so the feed can hold; apart from the database, which a follower never loads."""


def plain(text: str) -> str:
    """``text`` as both databases and UTF-8 can hold it: NUL and lone surrogates become U+FFFD.

    What people and clusters write reaches events and leases; none of it may stop a commit.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
