"""What is refused for good is found among what is not, and everything else is tried again."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos import databricks_pb2

from visionlab.tracking import delivery
from visionlab.tracking.delivery import deliver, explain, is_final


def rest(code: str) -> RestException:
    return RestException({"error_code": code, "message": "no"})


def answered(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("no", response=response)


@pytest.mark.parametrize(
    "error",
    [
        rest("INVALID_PARAMETER_VALUE"),
        rest("RESOURCE_ALREADY_EXISTS"),
        MlflowException("no", error_code=databricks_pb2.INVALID_PARAMETER_VALUE),
        MlflowException("API request to endpoint /x failed with error code 413 != 200. Response body: ''"),
        answered(413),
    ],
    ids=repr,
)
def test_refusals_for_good(error: Exception) -> None:
    assert is_final(error)


@pytest.mark.parametrize(
    "error",
    [
        *map(rest, ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_DOES_NOT_EXIST")),
        *map(rest, ("PERMISSION_DENIED", "UNAUTHENTICATED", "ENDPOINT_NOT_FOUND")),
        *map(answered, (401, 403, 404, 408, 429, 500, 502, 503)),
        MlflowException("API request to endpoint /x failed with error code 502 != 200. Response body: ''"),
        MlflowException("API request to http://x failed with exception"),
        requests.ConnectionError("no"),
        OSError(28, "No space left on device"),
    ],
    ids=repr,
)
def test_what_may_be_different_tomorrow(error: Exception) -> None:
    assert not is_final(error)


class Taker:
    """Takes everything but some entries, and counts the requests."""

    def __init__(self, *refused: int) -> None:
        self.refused, self.taken, self.requests = refused, set[int](), 0

    def __call__(self, entries: list[Any]) -> None:
        self.requests += 1
        if any(entry in self.refused for entry in entries):
            raise rest("INVALID_PARAMETER_VALUE")
        self.taken |= set(entries)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SECONDS_TO_SECOND_TRY", 0)


@pytest.mark.parametrize("refused", [(), (0,), (999,), (3, 4, 500)])
def test_only_what_is_refused_is_left_out(refused: tuple[int, ...]) -> None:
    taker = Taker(*refused)
    left_out = deliver(taker, list(range(1000)), lambda: False)
    assert [entry for entry, _ in left_out] == list(refused)
    assert taker.taken == set(range(1000)) - set(refused)
    assert taker.requests <= 1 + 22 * len(refused)


def test_what_is_refused_once_but_not_twice_is_taken() -> None:
    taker = Taker(3)

    def send(entries: list[Any]) -> None:
        try:
            taker(entries)
        finally:
            taker.refused = ()

    assert deliver(send, list(range(10)), lambda: False) == []
    assert taker.taken == set(range(10))


def test_where_there_is_no_hope_nothing_is_tried_again() -> None:
    taker = Taker(*range(1000))
    assert len(deliver(taker, list(range(1000)), lambda: True)) == 1000
    assert taker.requests == 1


def test_other_errors_come_through() -> None:
    def send(entries: list[Any]) -> None:
        raise rest("INTERNAL_ERROR")

    with pytest.raises(RestException):
        deliver(send, [1, 2], lambda: False)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("… (Caused by ResponseError('too many 503 error responses'))", "it answers with error 503"),
        ('… NewConnectionError("…: [Errno 111] Connection refused"))', "Connection refused"),
        ("… Read timed out. (read timeout=20)", "no answer in time"),
        ("something else", "ValueError: something else"),
    ],
)
def test_errors_are_explained_in_a_few_words(message: str, words: str) -> None:
    assert explain(ValueError(message)) == words
