"""Tables are aligned, JSON and CSV are what other programs read, however many parts there are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from visionlab.prediction.predictor import Prediction
from visionlab.prediction.text import as_csv, as_json, as_table

CAT = Prediction(Path("a.jpg"), (("cat", 0.98765432), ("dog", 0.01)))
DOG = Prediction(Path("a much longer name.jpg"), (("dog", 1.0), ("cat", 3e-9)))


def top(one: Prediction, count: int) -> Prediction:
    return Prediction(one.file, one.ranking[:count])


def test_a_table_is_aligned_and_grows_wider() -> None:
    first, second = as_table([[top(CAT, 1)], [], [top(DOG, 1)]], 1)
    assert first == "file   class  probability\na.jpg  cat          98.8%\n"
    assert second == "a much longer name.jpg  dog         100.0%\n"
    (both,) = as_table([[CAT, DOG]], 2)
    assert both.splitlines() == [
        "file                    class  probability  class 2  probability 2",
        "a.jpg                   cat          98.8%  dog               1.0%",
        "a much longer name.jpg  dog         100.0%  cat               0.0%",
    ]
    assert list(as_table([[], []], 1)) == []


def test_a_name_with_a_line_end_does_not_break_the_table() -> None:
    (text,) = as_table([[Prediction(Path("a\nb\udcff.jpg"), (("cat", 0.5),))]], 1)
    assert text.splitlines()[1].split() == ["a?b?.jpg", "cat", "50.0%"]


def test_json_is_one_list_of_objects_a_line_each() -> None:
    text = "".join(as_json([[CAT], [], [DOG]], 2))
    assert text.count("\n") == 4
    assert json.loads(text) == [
        {
            "file": str(one.file),
            "class": one.label,
            "probability": one.probability,
            "ranking": [{"class": name, "probability": share} for name, share in one.ranking],
        }
        for one in (CAT, DOG)
    ]
    (only,) = json.loads("".join(as_json([[top(CAT, 1)]], 1)))
    assert only == {"file": "a.jpg", "class": "cat", "probability": 0.98765432}
    assert json.loads("".join(as_json([[], []], 1))) == []
    assert json.loads("".join(as_json([], 1))) == []


def test_csv_has_columns_with_names() -> None:
    odd = Prediction(Path('with "quotes", and a comma.jpg'), (("cat, or so", 0.25), ("dog", 0.125)))
    rows = list(csv.reader(io.StringIO("".join(as_csv([[CAT], [odd]], 2)))))
    assert rows == [
        ["file", "class", "probability", "class_2", "probability_2"],
        ["a.jpg", "cat", "0.98765432", "dog", "0.01"],
        ['with "quotes", and a comma.jpg', "cat, or so", "0.25", "dog", "0.125"],
    ]
    assert "".join(as_csv([[]], 1)) == "file,class,probability\n"


def test_probabilities_keep_every_digit_of_32_bits() -> None:
    share = np.float32(0.1) / np.float32(3)
    one = Prediction(Path("a"), (("cat", float(str(share))),))
    (row,) = json.loads("".join(as_json([[one]], 1)))
    assert np.float32(row["probability"]) == share
