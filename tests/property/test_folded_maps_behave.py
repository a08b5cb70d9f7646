"""A folded map behaves like a dict, whatever is done to it; and what is folded alike is alike."""

from hypothesis import given
from hypothesis import strategies as st

from suite.model.address import parse_address
from suite.model.persistent import Folded, differing
from suite.model.refusal import Reason, Refusal
from suite.model.service import FamilyPolicy, Port, Service, ServiceRef, ServiceType
from suite.store.folding import folder, plain_ports

keys = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.dictionaries(keys, st.integers(0, 3), max_size=3)),
        st.tuples(st.just("discard"), keys),
        st.tuples(st.just("get"), keys),
    ),
    max_size=8,
)


@given(st.dictionaries(keys, st.integers(0, 3)), steps, st.dictionaries(keys, st.integers(0, 3)))
def test_a_folded_map_is_a_dict_that_does_not_change(begin, steps, said):
    plain = dict(begin)
    folded = Folded(
        {key: bytes([value]) for key, value in begin.items()}, int, lambda _, one: one[0], lambda one: bytes([one])
    )

    for verb, what in steps:
        if verb == "update":
            plain, folded = plain | what, folded.update(what)
        elif verb == "discard":
            plain, folded = {key: value for key, value in plain.items() if key != what}, folded.discard(what)
        else:
            assert folded.get(what) == plain.get(what)

    assert list(differing(folded, said)) == [value for key, value in said.items() if plain.get(key) != value]
    assert (dict(folded), len(folded)) == (plain, len(plain))


words = st.sampled_from(["", "a", "b", "tëst", '"]', "\ud800"])
addresses = st.sampled_from(["10.0.0.1", "::1"]).map(parse_address)
services = st.builds(
    Service,
    st.builds(ServiceRef, words, words),
    uid=words,
    type=st.sampled_from(ServiceType),
    families=st.sampled_from([(4,), (6,), (4, 6)]),
    family_policy=st.sampled_from(FamilyPolicy),
    ports=st.lists(st.builds(Port, st.sampled_from([1, 2]), words, words), max_size=2).map(tuple),
    labels=st.lists(st.tuples(words, words), max_size=2).map(tuple),
    requested=st.lists(addresses, max_size=2).map(tuple),
    ttl=st.sampled_from([None, 0, 1]),
    publish=st.sampled_from([None, False, True]),
    hostnames=st.sampled_from([(), ("www",)]),
    wildcard=st.booleans(),
    fault=st.none() | st.builds(Refusal, st.sampled_from(Reason), words),
)
write = folder(Service)


def fold(service):
    try:
        return write(service)
    except ValueError:
        return None


@given(services, services)
def test_services_folded_alike_are_alike(one, other):
    assert fold(one) is None or (fold(one) == fold(other)) == (one == other)


@given(services)
def test_a_document_that_looks_plain_is_that_of_a_plain_service(service):
    document = fold(service)

    assert document is None or plain_ports(document) in {None, service.plain_ports}
