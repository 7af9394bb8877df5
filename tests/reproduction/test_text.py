"""The tables that people read."""

from __future__ import annotations

from visionlab.reproduction.facts import Facts, compare
from visionlab.reproduction.text import circumstances


def test_packages_that_differ_are_named_in_full_and_long_facts_are_not() -> None:
    names = ["a-package-of-a-long-name", "another-package-of-a-long-name", "numpy"]
    then, now = ([f"{name}=={version}" for name in names] for version in ("1.0.0", "2.0.0"))
    classes = ", ".join(f"class {number}" for number in range(100))
    rows = compare(Facts({"classes": classes}, then), Facts({"classes": f"{classes}, another"}, now), {})
    lines = list(circumstances(rows))
    packages = next(line for line in lines if line.startswith("packages"))
    assert all(f"{name} 2.0.0 (was 1.0.0)" in packages for name in names)
    assert max(len(line) for line in lines if line != packages) <= 100
    assert "differs: classes" in lines


def test_nothing_that_differs_is_said_to_be_so() -> None:
    facts, others = (Facts({"python": "3.11"}, [f"numpy=={version}"]) for version in (1, 2))
    assert "everything is the same" in list(circumstances(compare(facts, facts, {})))
    assert "nothing differs that results are known to depend on" in list(circumstances(compare(facts, others, {})))
