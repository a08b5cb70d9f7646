"""What YAML 1.1 reads in surprising ways is read as people mean it."""

import pytest

from suite.config.document import read_text
from suite.config.loading import load
from suite.config.tree import MAX_DEPTH, from_plain, to_plain
from suite.config.yaml_text import compose

POOL = "address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24], bgp-advertisements: [%s]}]"


def only_pool(settings):
    return load(
        read_text(f"address-pools: [{{protocol: none, addresses: [10.0.0.0/24], {settings}}}]")
    ).configuration.pools[0]


def peer(settings):
    (found,) = load(
        read_text(f"peers: [{{peer-address: 10.0.0.1, peer-asn: 1, my-asn: 2, {settings}}}]")
    ).configuration.peers
    return found


def codes(text):
    return [problem.code for problem in load(read_text(text)).problems]


def test_an_unquoted_community_is_no_number_to_base_60():
    (way,) = load(read_text(POOL % "{communities: [64512:1]}")).configuration.bgp_advertisements

    assert [str(each) for each in way.communities] == ["64512:1"]


@pytest.mark.parametrize("word", ["no", "off", "y", "null-island", "010", "1e3", "0x1f", "12:30:45", "2026-01-01"])
def test_a_name_that_looks_like_something_else_is_a_name(word):
    assert only_pool(f"name: {word}").name == word


@pytest.mark.parametrize(
    ("word", "meaning"), [("yes", True), ("On", True), ("true", True), ("no", False), ("OFF", False)]
)
def test_a_flag_may_be_written_as_a_word(word, meaning):
    assert only_pool(f"name: a, avoid-buggy-ips: {word}").avoid_buggy is meaning


def test_leading_zeros_change_no_number():
    assert peer("peer-port: 0179").port == 179


def test_a_quoted_number_is_refused_with_the_cure():
    (problem,) = load(read_text('peers: [{peer-address: 10.0.0.1, peer-asn: "1", my-asn: 2}]')).errors[:1]

    assert problem.message == "expected a whole number from 0 to 4294967295: write 1 without quotes"


def test_a_password_of_digits_keeps_its_zeros():
    assert peer("password: 007").password == "007"


def test_a_key_that_stands_twice_is_an_error_at_its_second_line():
    (problem,) = load(read_text("hold-time: 1h\nhold-time: 2h\n", "suite.yaml")).problems

    assert str(problem) == "suite.yaml:2: hold-time: 'hold-time' stands twice (first in line 1); remove one"


def test_a_merge_key_adds_what_is_not_there():
    (document,) = compose("a: &x {b: one, c: two}\nd:\n  <<: *x\n  b: own\n").documents

    assert to_plain(document)["d"] == {"b": "own", "c": "two"}


def test_aliases_that_would_fill_the_memory_are_refused():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join(['*' + old] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]

    assert [problem.code for problem in compose("\n".join(lines)).problems] == ["yaml.too_big"]


def test_nesting_without_end_is_refused():
    assert [problem.code for problem in compose("[" * (MAX_DEPTH + 1)).problems] == ["yaml.too_deep"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1, 2", "yaml.syntax"),
        ("a: b: c", "yaml.syntax"),
        ("a: \x01", "yaml.syntax"),
        ("a: \ud800", "yaml.syntax"),
        ("a: *nowhere", "yaml.alias"),
        ("a: &a [*a]", "yaml.alias"),
        ("? [a, b]\n: c", "yaml.key"),
        ("a: !!python/object:os.system ls", "yaml.tag"),
    ],
)
def test_text_that_cannot_be_read_is_one_problem(text, code):
    assert [problem.code for problem in compose(text).problems] == [code]


def test_a_fault_of_syntax_names_its_line_in_the_file_even_inside_a_config_map():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata:\n  config: |\n    peers:\n    - a: [\n"

    assert [(problem.code, problem.line) for problem in load(read_text(text)).problems] == [("yaml.syntax", 8)]


@pytest.mark.parametrize(
    "text", ["password: *geheim", "password: !geheim", "password: [geheim", "peers: [{password: [geheim]}]"]
)
def test_no_message_repeats_what_may_be_a_password(text):
    assert "geheim" not in "".join(map(str, load(read_text(text)).problems))


def test_an_empty_file_is_a_configuration_without_pools():
    assert load(read_text("# nothing yet\n---\n")).configuration.pools == ()


def test_an_object_nested_without_end_is_cut_off():
    value = "bottom"
    for _ in range(500):
        value = [value]

    assert "bottom" not in str(to_plain(from_plain(value)))


def test_a_number_that_is_a_word_is_one_fault_and_not_a_missing_number_too():
    reading = load(read_text("peers: [{peer-address: 10.0.0.1, peer-asn: no, my-asn: no}]"))

    assert [problem.path for problem in reading.errors] == ["peers[0].peer-asn", "peers[0].my-asn"]
