"""What all threads of a crawl have in common: nothing that goes wrong with one job touches another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from visionlab.errors import UserError
from visionlab.gather.crawler.board import Board
from visionlab.gather.sources.source import PageError
from visionlab.gather.web.errors import FetchError, Stopped
from visionlab.gather.web.jobs import Job
from visionlab.gather.web.lane import Lane

T = TypeVar("T")


def work(lane: Lane[T], board: Board, do: Callable[[Job[T]], bool], failed: Callable[[T, str], None]) -> None:
    """Do jobs until there are no more.

    Args:
        lane: of the jobs.
        board: is told what leaves the crawl no way to go on.
        do: does the next step of a job; whether it was the last.
        failed: takes the reason why a job has come to nothing.
    """
    while (job := lane.get()) is not None:
        try:
            if _ends(job, do, failed):
                lane.done(job)
        except Stopped:
            return
        except UserError as error:  # a full disk
            board.fail(error)
            return


def _ends(job: Job[T], do: Callable[[Job[T]], bool], failed: Callable[[T, str], None]) -> bool:
    try:
        return do(job)
    except (Stopped, UserError):
        raise
    except (FetchError, PageError) as error:
        failed(job.item, str(error))
    except Exception as error:  # noqa: BLE001 - whatever strangers' servers and pages may bring about
        failed(job.item, unexpected(error))
    return True


def unexpected(error: Exception) -> str:
    return f"unexpected {type(error).__name__}"
