"""The SQL blocks of a Markdown page, as one psql script that stops at the first error and says which line it was on."""

from dataclasses import dataclass
from pathlib import Path

from . import paths

FENCE = "```"


@dataclass(frozen=True)
class Block:
    line: int  # of the page, where the SQL begins
    text: str


def pages() -> list[Path]:
    """README.md and docs/*.md, those that show SQL to run."""
    return [page for page in [paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))] if page.exists() and blocks(page)]


def blocks(page: Path) -> list[Block]:
    """Blocks fenced as exactly `sql`. `sql no-run`, `text` and all others are for the eye alone."""
    found: list[Block] = []
    inside: list[str] | None = None
    running, began = False, 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        mark = line.strip()
        if inside is None and mark.startswith(FENCE):
            inside, running, began = [], mark[len(FENCE) :].strip() == "sql", number + 1
        elif inside is not None and mark == FENCE:
            if running:
                found.append(Block(began, "\n".join(inside)))
            inside = None
        elif inside is not None:
            inside.append(line)
    return found


def script(page: Path) -> str:
    """All blocks in their order, in one session: what a reader gets who pastes them one after another."""
    parts = [f"\\echo @@ {page.name}, the block at line {block.line}\n{block.text}\n" for block in blocks(page)]
    return "\\set ON_ERROR_STOP on\n" + "".join(parts)
