"""Give the project another name: `make rename NAME=mylab`.

The package, its command, its environment variables and every mention of the name follow, in the texts and the paths of
all files under git. Nothing is touched before everything is checked, and git has what was there before.
"""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GO_BACK = "go back: git add . && git reset --hard"


class RefusalError(Exception):
    """Why the project cannot be renamed, in one line."""


class Renaming:
    """The old name and the new one; in CAPITALS and Capitalised where the old one is.

    A mention of the name has no letter and no digit on either side: MYLAB_HOME mentions mylab, mylabel does not.
    """

    def __init__(self, old: str, new: str) -> None:
        self.new = new
        self._mention = re.compile(rb"(?<![A-Za-z0-9])%b(?![A-Za-z0-9])" % old.encode(), re.IGNORECASE)

    def text(self, content: bytes) -> bytes:
        """`content` with the new name; files other than text, those with a zero byte, stay as they are."""
        return content if b"\0" in content else self._mention.sub(self._replacement, content)

    def part(self, name: str) -> str:
        """The name of a file or folder with the new name in it."""
        return os.fsdecode(self.text(os.fsencode(name)))

    def _replacement(self, mention: re.Match[bytes]) -> bytes:
        old = mention[0]
        new = self.new if old.islower() else self.new.upper() if old.isupper() else self.new.capitalize()
        return new.encode()


def rename(old: str, new: str) -> int:
    """Rename the project; the number of files that mentioned its name.

    Raises:
        RefusalError: the name cannot be used, or the project is in no state to go back to. Nothing has been touched.
    """
    _check_name(old, new)
    files = {name: _read(ROOT / name) for name in _files_under_git()}
    _check_word(new, files)
    renaming = Renaming(old, new)
    changed = {name: text for name, content in files.items() if (text := renaming.text(content)) != content}
    moves = list(dict.fromkeys(move for name in files for move in _moves(Path(name), renaming)))
    for _, target in moves:
        if (ROOT / target).exists():
            raise RefusalError(f"{target}: expected nothing of that name, but it exists; remove it first")

    for name, text in changed.items():
        _replace_content(ROOT / name, text)
    for source, target in moves:
        (ROOT / source).rename(ROOT / target)
    scripts = [str(Path(*map(renaming.part, Path(name).parts))) for name in changed if name.endswith(".py")]
    # the lines have become shorter or longer
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *scripts], cwd=ROOT, check=False)
    return len(changed)


def _check_name(old: str, new: str) -> None:
    if not new:
        raise RefusalError("NAME: expected the new name, given none; make rename NAME=mylab")
    if not re.fullmatch("[a-z][a-z0-9_]*", new):
        raise RefusalError(f"NAME={new}: expected small letters, digits and _, a letter first, as in NAME=mylab")
    if new == old:
        raise RefusalError(f"NAME={new}: the project has this name already")
    if keyword.iskeyword(new) or keyword.issoftkeyword(new):
        raise RefusalError(f"NAME={new}: expected a free name, but it is a keyword of Python")
    module = importlib.util.find_spec(new)
    if module is not None:
        place = module.origin or next(iter(module.submodule_search_locations or ()))
        raise RefusalError(f"NAME={new}: expected a free name, but Python can import it: {place}")
    packages = {distribution.name.lower().replace("-", "_") for distribution in metadata.distributions()}
    if new in packages or (Path(sys.executable).parent / new).exists():
        raise RefusalError(f"NAME={new}: expected a free name, but it is a package or a command of the environment")


def _check_word(new: str, files: dict[str, bytes]) -> None:
    """Refuse a word that the code uses for something else: a later renaming could not tell the two apart."""
    word = Renaming(new, "")
    for name, content in files.items():
        if name.startswith(("src/", "conf/")) and word.text(content) != content:
            raise RefusalError(f"NAME={new}: expected a free name, but {name} uses the word for something else")


def _files_under_git() -> list[str]:
    """What git keeps of this folder, provided that it has all of it.

    Raises:
        RefusalError: this is no checkout, or something is not committed.
    """
    try:
        changes = _git("status", "--porcelain", ".").splitlines()
        names = _git("ls-files", "-z").split("\0")
    except (OSError, subprocess.CalledProcessError) as error:
        reason = str(getattr(error, "stderr", None) or error).splitlines()[0]
        raise RefusalError(
            f"{ROOT}: expected a git checkout, so that you can go back, but: {reason}; "
            "make it one: git init && git add . && git commit -m start"
        ) from None
    if changes:
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        listed = ", ".join(change[3:] for change in changes[:3])
        raise RefusalError(
            f"expected everything committed, so that you can go back, found {listed}{more}; "
            "first: git add . && git commit, or git stash -u"
        )
    return [name for name in names if name]


def _moves(file: Path, renaming: Renaming) -> Iterator[tuple[Path, Path]]:
    """What gets another name on the way to a file, outermost first: (path by then, new path)."""
    parent = Path()
    for part in file.parts:
        if renaming.part(part) != part:
            yield parent / part, parent / renaming.part(part)
        parent /= renaming.part(part)


def _read(path: Path) -> bytes:
    """The content of a file; nothing of what is none, a link or another repository."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""


def _replace_content(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.chmod(path.stat().st_mode)
    part.replace(path)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _package() -> str:
    found = sorted(init.parent.name for init in ROOT.glob("src/*/__init__.py"))
    if len(found) != 1:
        raise RefusalError(f"src: expected one package, found {', '.join(found) or 'none'}")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help="the new name, as in mylab")
    new = parser.parse_args().name
    try:
        old = _package()
        count = rename(old, new)
    except RefusalError as refusal:
        print(f"rename: {refusal}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        sys.exit(f"rename: stopped half-way: {error}; {GO_BACK}")
    print(f"{old} is {new} now, in {count} files; environment variables start with {new.upper()}_ now")
    print(f"look at it: git status && make test; keep it: git add . && git commit; {GO_BACK}")


if __name__ == "__main__":
    main()
