"""The zoo: every bug hides from a plain run and is found by exploring; every twin keeps what was promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from dosim.cli import main
from dosim.scenarios import BadArgument, zoo
from dosim.scenarios.zoo import Animal, animals, find_animal
from dosim.scenarios.zoo.registry import NAMES
from dosim.testing import explore

ANIMALS = pytest.mark.parametrize("animal", animals(), ids=lambda animal: animal.name)


@ANIMALS
def test_nothing_shows_while_nothing_goes_wrong(animal: Animal) -> None:
    """
    First come, first served, and no fault: the check passes, with the bug and without it.
    """
    animal.run()
    animal.twin.run()


@ANIMALS
def test_a_run_repeats(animal: Animal) -> None:
    """
    Two plain runs are the same, record for record.
    """
    assert animal.run().trace.digest == animal.run().trace.digest


@ANIMALS
def test_the_bug_is_found_and_its_story_is_short(animal: Animal) -> None:
    """
    Within 2,000 runs and 10 s, and shrunk to three deviations at most; replayed, they break the promise again.
    """
    failure = explore(animal, runs=2_000, seconds=10).failure

    assert failure is not None
    assert 1 <= len(failure.schedule) <= 3
    with pytest.raises(AssertionError):
        animal.run(schedule=failure.schedule)


@ANIMALS
def test_the_twin_survives_200_runs(animal: Animal) -> None:
    """
    The same check, schedules and faults.
    """
    assert explore(animal.twin, runs=200).failure is None


@pytest.mark.slow
@pytest.mark.timeout(300)
@ANIMALS
def test_the_twin_survives_5000_runs(animal: Animal) -> None:
    """
    The same, for longer, and with another seed.
    """
    assert explore(animal.twin, runs=5_000, seed=1).failure is None


def test_the_token_of_an_animal_is_replayed_by_whoever_gets_it(capsys: pytest.CaptureFixture[str]) -> None:
    """
    It names the module, so the command line finds the animal and breaks it again; the twin has nothing to break.
    """
    failure = explore(find_animal("keys-in-memory")).failure
    assert failure is not None

    assert 1 == main(["replay", failure.token])
    assert "purchases of 100 and 20 made 220 credits" in capsys.readouterr().out
    assert 0 == main(["explore", "dosim.scenarios.zoo.keys_in_memory::ANIMAL.twin", "--runs", "50"])


def test_what_takes_two_deviations_keeps_both() -> None:
    """
    A lost answer alone does not break it, an eviction alone neither.
    """
    animal = find_animal("keys-in-memory")
    failure = explore(animal).failure
    assert failure is not None

    assert 2 == len(failure.schedule)
    for decision in failure.schedule:
        animal.run(schedule=failure.schedule.without(decision))


def test_the_registry_names_every_module_of_the_zoo() -> None:
    """
    No animal is left out, and each bears the name of its module.
    """
    files = {path.stem for path in Path(zoo.__file__).parent.glob("*.py")}

    assert files - {"__init__", "animal", "asking", "registry"} == {name.replace("-", "_") for name in NAMES}
    assert list(NAMES) == [animal.name for animal in animals()]


@ANIMALS
def test_every_animal_teaches(animal: Animal) -> None:
    """
    Its module says what people believe, what happens, where it was met and what mends it, and is short.
    """
    parts = [paragraph.partition(":")[0] for paragraph in animal.lesson.split("\n\n")[1:]]
    lines = Path(zoo.__file__).parent.joinpath(f"{animal.name.replace('-', '_')}.py").read_text("utf-8").count("\n")

    assert ["Believed", "What happens", "Met in", "Mended"] == parts
    assert animal.lesson.startswith(f"`{animal.name}`: ")
    assert 60 <= lines <= 150


def test_an_unknown_animal_is_refused_with_the_nearest_names() -> None:
    """
    A typo is answered with what was meant.
    """
    with pytest.raises(BadArgument, match="did you mean lost-update"):
        find_animal("lost-updates")


def test_every_animal_has_its_place_in_the_book() -> None:
    """
    The chapter looks for each of them, in the registry's order.
    """
    page = Path(__file__).parents[3] / "book" / "explanation" / "zoo.md"
    looked_for = [line.split('"')[1] for line in page.read_text("utf-8").splitlines() if line.startswith("look_for(")]

    assert list(NAMES) == looked_for
