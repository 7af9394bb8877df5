"""The Asirra images of cats and dogs, as Microsoft publishes them, for everybody.

Elson, Douceur, Howell, Saul: "Asirra: a CAPTCHA that exploits interest-aligned manual image categorization", 2007.
"""

from __future__ import annotations

from pathlib import Path

from visionlab.data.held_out.resumable import Published, download_resumable
from visionlab.data.held_out.room import need_room

URL = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip"
PUBLISHED = Published(
    "kagglecatsanddogs_5340.zip", 824_887_076, "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"
)


def download(url: str, folder: Path) -> Path:
    """Download the archive into `folder`, or go on with an earlier download there.

    Raises:
        UserError: the address does not deliver it, or there is no room for it and what it unpacks to.
    """
    folder.mkdir(exist_ok=True)
    if not (folder / PUBLISHED.name).exists():
        need_room(folder, 2 * PUBLISHED.size)  # photographs are as large in a zip file as out of it
    return download_resumable(PUBLISHED, url, folder)
