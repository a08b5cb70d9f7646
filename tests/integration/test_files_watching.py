"""A directory of manifests, watched for real."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fix_cluster import Told, listening

from suite.cluster.files import FileSource, glance, scan


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


def watch(directory: Path, scenario: Callable[[Told], Awaitable[None]], source: FileSource | None = None) -> None:
    async def play() -> None:
        async with listening(source or FileSource(directory)) as told:
            await scenario(told)

    asyncio.run(play())


def names(*expected: str) -> Callable[[Told], bool]:
    return lambda told: told.names == {f"default/{name}" for name in expected}


def test_the_first_batch_is_everything(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "coffee.yaml").write_text(service("coffee"))
    (tmp_path / "shop" / "tea.yml").write_text(service("tea"))
    (tmp_path / "milk.json").write_text('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "milk"}}')
    (tmp_path / "notes.txt").write_text(service("no"))
    (tmp_path / ".hidden.yaml").write_text(service("no"))

    async def scenario(told: Told) -> None:
        assert told.batches[0].is_full
        assert names("coffee", "tea", "milk")(told)

    watch(tmp_path, scenario)


def test_half_a_file_that_happens_to_be_valid_is_not_believed_while_it_is_written(tmp_path):
    file = tmp_path / "coffee.yaml"
    file.write_text(service("coffee"))

    async def scenario(told: Told) -> None:
        file.write_text("# only the comment above the Service so far")
        await asyncio.sleep(0.3)
        assert names("coffee")(told)
        file.write_text(service("coffee") + "---\n" + service("tea"))
        await told.until(names("coffee", "tea"))

    watch(tmp_path, scenario)


def test_files_written_changed_and_removed_are_told(tmp_path):
    async def scenario(told: Told) -> None:
        file = tmp_path / "coffee.yaml"
        file.write_text(service("coffee"))
        await told.until(names("coffee"))
        file.write_text(service("tea"))
        await told.until(names("tea"))
        file.unlink()
        await told.until(names())

    watch(tmp_path, scenario)


def test_a_directory_made_later_is_watched_too(tmp_path):
    async def scenario(told: Told) -> None:
        (tmp_path / "shop").mkdir()
        await asyncio.to_thread((tmp_path / "shop" / "coffee.yaml").write_text, service("coffee"))
        await told.until(names("coffee"))
        (tmp_path / "shop" / "tea.yaml").write_text(service("tea"))
        await told.until(names("coffee", "tea"))

    watch(tmp_path, scenario)


def test_a_mounted_config_map_changes_by_swapping_a_link(tmp_path):
    def publish(version: str, *names: str) -> None:
        (tmp_path / version).mkdir()
        for name in names:
            (tmp_path / version / f"{name}.yaml").write_text(service(name))
            if not (tmp_path / f"{name}.yaml").is_symlink():
                (tmp_path / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    publish("..1", "coffee")

    async def scenario(told: Told) -> None:
        assert names("coffee")(told)
        publish("..2", "coffee", "tea")
        shutil.rmtree(tmp_path / "..1")
        await told.until(names("coffee", "tea"))
        assert told.problems == ()

    watch(tmp_path, scenario)


def test_a_directory_that_vanishes_keeps_its_services_and_is_picked_up_again(tmp_path):
    directory = tmp_path / "manifests"
    directory.mkdir()
    (directory / "coffee.yaml").write_text(service("coffee"))

    async def scenario(told: Told) -> None:
        directory.rename(tmp_path / "away")
        await told.until(lambda told: told.problems)
        assert names("coffee")(told)
        directory.mkdir()
        (directory / "tea.yaml").write_text(service("tea"))
        await told.until(names("tea"))
        (directory / "milk.yaml").write_text(service("milk"))
        await told.until(names("tea", "milk"))
        assert told.problems == ()

    watch(directory, scenario)


def test_a_directory_that_is_not_there_yet_is_a_problem_and_no_empty_picture(tmp_path):
    directory = tmp_path / "manifests"

    async def play() -> None:
        told = Told()
        task = asyncio.create_task(FileSource(directory).run(told.deliver))
        await told.until(lambda told: told.problems)
        assert not told.batches[0].is_full
        directory.mkdir()
        await told.until(lambda told: told.batches[-1].is_full)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())


def test_several_files_removed_at_once_stay_until_an_operator_confirms(tmp_path):
    for name in ("coffee", "tea"):
        (tmp_path / f"{name}.yaml").write_text(service(name))
    source = FileSource(tmp_path)

    async def scenario(told: Told) -> None:
        (tmp_path / "coffee.yaml").unlink()
        (tmp_path / "tea.yaml").unlink()
        await told.until(lambda told: told.problems or told.names != {"default/coffee", "default/tea"})
        source.believe_empty()
        await told.until(names())

    watch(tmp_path, scenario, source)


def test_a_link_that_leads_round_is_followed_once(tmp_path):
    (tmp_path / "coffee.yaml").write_text(service("coffee"))
    (tmp_path / "round").symlink_to(tmp_path)

    async def scenario(told: Told) -> None:
        assert names("coffee")(told)
        assert told.problems == ()

    watch(tmp_path, scenario)


@pytest.mark.parametrize("octets", [b"\xff\xfe\x00", b"a: \x80"], ids=["utf-16", "latin-1"])
def test_what_is_no_text_is_a_problem(tmp_path, octets):
    (tmp_path / "coffee.yaml").write_bytes(octets)

    async def scenario(told: Told) -> None:
        assert [problem.code for problem in told.problems] == ["file.unreadable"]

    watch(tmp_path, scenario)


def test_changed_documents_alone_are_parsed_again(tmp_path):
    file = tmp_path / "many.yaml"
    file.write_text("---\n".join(service(f"s{number}") for number in range(100)))

    async def scenario(told: Told) -> None:
        file.write_text(file.read_text().replace("name: s7}", "name: t7}"))
        await told.until(lambda told: "default/t7" in told.names)
        assert [len(batch.services) for batch in told.batches] == [100, 1]

    watch(tmp_path, scenario)


def test_a_glance_at_plain_files_needs_no_scan(tmp_path):
    for name in ("coffee", "tea"):
        (tmp_path / f"{name}.yaml").write_text(service(name))
    before = scan(tmp_path)
    (tmp_path / "tea.yaml").unlink()
    (tmp_path / "milk.yaml").write_text(service("milk"))

    seen = glance(tmp_path, before, {f"{tmp_path}/{name}" for name in ("tea.yaml", "milk.yaml", ".coffee.swp")})

    assert seen == scan(tmp_path)


@pytest.mark.parametrize("hint", ["..data", "shop", "link.yaml", "never-was"])
def test_a_glance_at_more_than_plain_files_asks_for_a_scan(tmp_path, hint):
    (tmp_path / "shop").mkdir()
    (tmp_path / "link.yaml").symlink_to("shop")

    assert glance(tmp_path, scan(tmp_path), {f"{tmp_path}/{hint}"}) is None
