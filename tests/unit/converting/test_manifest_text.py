"""YAML as people mean it, bounded, each document on its own."""

import pytest

from suite.cluster.manifest import MAX_SIZE, Fault, PythonComposer, chunks, line_of, read, read_json


def values(text: str) -> list[object]:
    return [document.value for document in read(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64512:1", "64512:1"),
        ("12:30:00", "12:30:00"),
        ("yes", "yes"),
        ("no", "no"),
        ("off", "off"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("2026-11-22", "2026-11-22"),
        ("=", "="),
        ("42", 42),
        ("-1", -1),
        ("0", 0),
        ("true", True),
        ("True", "True"),
        ("~", None),
        ("''", ""),
        ("'42'", "42"),
        ("!!str 42", "42"),
        ("!!python/object:os.system ls", "ls"),
    ],
)
def test_a_plain_scalar_is_what_people_mean(text, value):
    assert values(f"a: {text}") == [{"a": value}]


def test_several_documents_with_lines():
    documents = read("---\n# nothing\n---\na: 1\n---\n\nb: 2\n...\n")

    assert [(document.value, document.line) for document in documents] == [({"a": 1}, 4), ({"b": 2}, 7)]


def test_cutting_keeps_the_place_of_each_document():
    cut = list(chunks("a: 1\n---\nb: 2\n---\nc: 3\n"))

    assert [(chunk.text, chunk.lines_above) for chunk in cut] == [
        ("a: 1\n", 0),
        ("---\nb: 2\n", 1),
        ("---\nc: 3\n", 3),
    ]


def test_a_line_that_only_begins_like_a_marker_does_not_cut():
    assert len(list(chunks("a: |\n  ---\n  x\nb: ---x\n---y: 1\n"))) == 1


def test_directives_keep_a_file_whole():
    assert len(list(chunks("%YAML 1.1\n---\na: 1\n---\nb: 2\n"))) == 1


def test_merge_keys_give_defaults():
    assert values("x: &d {a: 1, b: 2}\ny: {<<: *d, b: 3}\n") == [{"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands there twice"),
        ("a: b: c\n", 1, "no YAML: mapping values are not allowed in this context"),
        ("a: [1\n", 2, "no YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: &a [*a]\n", 1, "an alias inside what it refers to"),
        ("a: *b\n", 1, "no YAML: found undefined alias"),
        ("? [a]\n: 1\n", 1, "a key that is itself a list or mapping"),
        ("[" * 100_000, 1, "nested deeper than 64"),
        ("a: &a [1]\nb: [" + "*a," * 10_002 + "]\n", 1, "more than 10,000 aliases"),
        ("<<: 3\n", 1, "<< takes a mapping or a list of mappings"),
    ],
)
def test_a_fault_has_its_line(text, line, message):
    with pytest.raises(Fault) as caught:
        read(text)

    assert (caught.value.line, caught.value.message) == (line, message)


def test_laughing_lists_stay_small():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]

    [value] = values("\n".join(lines))

    assert len(value) == 60


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_json_that_is_none(text):
    with pytest.raises(Fault):
        read_json(text)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.ports[1].port", 8),
        ('metadata.annotations["suite/ttl"]', 3),
        ("spec.nothing.there", 5),
        ("", 1),
    ],
)
def test_a_path_leads_to_its_line(path, line):
    text = "metadata:\n  annotations:\n    suite/ttl: x\n    b: c\nspec:\n  ports:\n  - port: 1\n  - port: 2\n"

    assert line_of(text, 0, path) == line


@pytest.mark.parametrize(
    "text",
    [
        "a: 64512:1\nb: [yes, 007, ~, 'x', !!str 1]\n---\nc: &c {d: 1}\ne: {<<: *c}\nf: |\n  text\n",
        "a: &a [1]\nb: *a\n",
        "# nothing\n",
    ],
)
def test_without_libyaml_a_text_says_the_same(text):
    assert read(text, PythonComposer) == read(text)


@pytest.mark.parametrize("text", ["[" * 1000, "a: 1\na: 2\n", "a: b: c\n", "a: *b\n", "\0", "a: &a [*a]\n"])
def test_without_libyaml_a_fault_is_a_fault(text):
    with pytest.raises(Fault):
        read(text, PythonComposer)


def test_a_text_beyond_the_limit_is_not_read_at_all():
    with pytest.raises(Fault, match="longer than 16 MiB"):
        read("#" * (MAX_SIZE + 1))
