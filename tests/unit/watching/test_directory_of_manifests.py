"""What a directory stands for: duplicates, broken files, vanished files."""

import pytest

from suite.cluster.directory import Directory, Unreadable
from suite.cluster.source import Batch
from suite.model.service import Service, ServiceRef

HERE = (1, 1)
ELSEWHERE = (1, 2)


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


class Files:
    """A directory that a test writes into."""

    def __init__(self, *remembered: Service) -> None:
        self.directory = Directory("manifests", remembered=remembered)
        self.paths: set[str] = set()

    def write(self, identity: object = HERE, **files: str | Unreadable) -> Batch:
        self.paths |= {f"{name}.yaml" for name in files}
        self.directory.update(self.paths, {f"{name}.yaml": text for name, text in files.items()}, identity)
        return self.told()

    def remove(self, *names: str, identity: object = HERE) -> Batch:
        self.paths -= {f"{name}.yaml" for name in names}
        self.directory.update(self.paths, {}, identity)
        return self.told()

    def told(self) -> Batch:
        return self.directory.inventory.changes() or Batch()

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.directory.problems()]


def names(batch: Batch) -> list[str]:
    return [service.ref.name for service in batch.services]


def gone(batch: Batch) -> list[str]:
    return [ref.name for ref in batch.services_gone]


def test_a_file_gives_its_services():
    assert names(Files().write(a=service("coffee") + "---\n" + service("tea"))) == ["coffee", "tea"]


def test_the_same_content_is_no_change():
    files = Files()
    files.write(a=service("coffee"))

    assert files.write(a=service("coffee") + "# remark\n") == Batch()


def test_deleting_files_one_by_one_deletes():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))

    assert gone(files.remove("a")) == ["coffee"]
    assert gone(files.remove("b")) == ["tea"]


def test_all_of_several_files_vanishing_at_once_is_not_believed():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))

    assert files.remove("a", "b") == Batch()
    assert files.problems() == [
        (
            "manifests: every manifest vanished at once; an empty file (none.yaml) there says that it is meant; "
            "its 2 objects stay as they were"
        )
    ]


def test_an_empty_file_says_that_it_is_meant():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))
    files.remove("a", "b")

    assert gone(files.write(none="")) == ["coffee", "tea"]
    assert files.problems() == []


def test_an_operator_may_say_so_too():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))
    files.remove("a", "b")

    files.directory.believe()

    assert gone(files.remove()) == ["coffee", "tea"]


def test_an_empty_directory_in_place_of_another_is_not_believed():
    files = Files()
    files.write(a=service("coffee"))

    assert files.remove("a", identity=ELSEWHERE) == Batch()


def test_another_directory_with_files_is_believed():
    files = Files()
    files.write(a=service("coffee"))
    files.paths.clear()

    assert gone(files.write(identity=ELSEWHERE, b=service("tea"))) == ["coffee"]


def test_a_directory_that_is_gone_keeps_its_objects():
    files = Files()
    files.write(a=service("coffee"))

    files.directory.absent("cannot be read: No such file or directory")

    assert files.told() == Batch()
    assert files.problems() == ["manifests: cannot be read: No such file or directory; its 1 objects stay as they were"]


def known(*names: str) -> list[Service]:
    return [Service(ServiceRef("default", name)) for name in names]


def everything(files: Files) -> list[str]:
    return sorted(names(files.directory.inventory.full()))


def test_an_empty_directory_at_the_start_keeps_what_is_remembered():
    files = Files(*known("coffee", "tea"))
    files.remove()

    assert files.directory.is_known
    assert everything(files) == ["coffee", "tea"]


def test_a_missing_directory_at_the_start_keeps_what_is_remembered():
    files = Files(*known("coffee"))
    files.directory.absent("cannot be read: No such file or directory")

    assert everything(files) == ["coffee"]


def test_what_is_remembered_and_in_no_file_is_gone_once_every_file_is_read():
    files = Files(*known("coffee", "tea"))
    files.write(a=service("tea"))

    assert everything(files) == ["tea"]


def test_a_file_that_is_broken_at_the_start_keeps_what_is_remembered_until_it_is_whole():
    files = Files(*known("coffee", "tea", "milk"))
    files.write(a="{", b=service("tea"))

    assert everything(files) == ["coffee", "milk", "tea"]
    assert files.problems()[0] == (
        "manifests: until every file can be read, these stay as they were before the restart: "
        "Service default/coffee, Service default/milk"
    )
    assert gone(files.write(a=service("coffee"))) == ["milk"]
    assert files.problems() == []


def test_a_file_that_is_still_being_written_at_the_start_keeps_what_is_remembered():
    files = Files(*known("coffee", "tea"))
    files.paths = {"coffee.yaml"}
    files.write(b=service("tea"))

    assert everything(files) == ["coffee", "tea"]


def test_an_empty_directory_at_the_very_first_start_is_fine():
    files = Files()
    files.remove()

    assert files.directory.is_known
    assert everything(files) == []


def test_a_directory_below_that_cannot_be_looked_into_keeps_its_files():
    files = Files()
    files.write(a=service("coffee"))
    files.directory.update({"a.yaml", "shop/b.yaml"}, {"shop/b.yaml": service("tea")}, HERE)
    files.told()

    files.directory.update({"a.yaml"}, {}, HERE, {"shop/": "cannot be read: Permission denied"})

    assert files.told() == Batch()
    assert files.problems() == ["manifests/shop/: cannot be read: Permission denied"]


@pytest.mark.parametrize(
    "broken",
    ["{", "", "   \n", "kind: Service\napiVersion: v1\nmetadata: {}\n", "kind: Service\n"],
    ids=["syntax", "empty", "blank", "nameless", "half"],
)
def test_a_broken_file_keeps_its_last_good_objects(broken):
    files = Files()
    files.write(a=service("coffee"))

    assert files.write(a=broken) == Batch()
    assert files.problems()


def test_a_broken_file_keeps_them_until_it_is_gone():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))
    files.write(a="{")

    assert gone(files.remove("a")) == ["coffee"]


def test_what_can_be_read_of_a_broken_file_counts_and_nothing_goes():
    files = Files()
    files.write(a=service("coffee") + "---\n" + service("tea"))

    changed = files.write(a=service("coffee", 8080) + "---\n" + "{")

    assert (names(changed), gone(changed)) == (["coffee"], [])


def test_a_file_that_becomes_unreadable_keeps_its_objects():
    files = Files()
    files.write(a=service("coffee"))

    assert files.write(a=Unreadable("cannot be read: Permission denied")) == Batch()
    assert files.problems() == [
        "manifests/a.yaml: cannot be read: Permission denied; 1 of its objects stay as they were"
    ]


def test_a_file_whose_documents_are_all_comments_now_is_believed():
    files = Files()
    files.write(a=service("coffee"), b=service("tea"))

    assert gone(files.write(a="# coffee is out\n")) == ["coffee"]


def test_of_duplicates_the_first_path_counts_and_the_second_is_told():
    files = Files()

    changed = files.write(b=service("coffee", 2), a=service("coffee", 1))

    assert [service.ports[0].port for service in changed.services] == [1]
    assert files.problems() == [
        (
            "manifests/b.yaml:1: metadata.name: Service default/coffee already stands in manifests/a.yaml:1; "
            "this one is left out"
        )
    ]


def test_a_newcomer_does_not_take_an_object_over_whatever_its_path():
    files = Files()
    files.write(b=service("coffee", 2))

    assert files.write(a=service("coffee", 1)) == Batch()


def test_the_second_takes_over_when_the_first_is_gone():
    files = Files()
    files.write(a=service("coffee", 1), b=service("coffee", 2))

    changed = files.remove("a")

    assert [service.ports[0].port for service in changed.services] == [2]
    assert files.problems() == []


def test_twice_in_one_file_the_first_counts():
    files = Files()

    changed = files.write(a=service("coffee", 1) + "---\n" + service("coffee", 2))

    assert [service.ports[0].port for service in changed.services] == [1]
    assert files.problems() == [
        (
            "manifests/a.yaml:6: metadata.name: Service default/coffee already stands in manifests/a.yaml:1; "
            "this one is left out"
        )
    ]


def test_problems_have_the_line_in_their_file():
    files = Files()

    files.write(a=service("coffee") + "---\n" + service("tea", 0))

    assert files.problems() == [
        "manifests/a.yaml:9: spec.ports[0].port: a number from 1 to 65535 was expected (Service default/tea)"
    ]


def test_a_list_gives_its_items():
    files = Files()
    items = "".join(f"- {{apiVersion: v1, kind: Service, metadata: {{name: s{n}}}}}\n" for n in range(3))

    assert names(files.write(a=f"apiVersion: v1\nkind: List\nitems:\n{items}")) == ["s0", "s1", "s2"]


def test_items_of_a_typed_list_need_no_kind():
    text = "apiVersion: v1\nkind: ServiceList\nitems: [{metadata: {name: coffee}}]\n"

    assert names(Files().write(a=text)) == ["coffee"]
