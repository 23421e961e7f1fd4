"""The documents: Markdown pages, some of them generated, and the site of `make docs`."""

from pathlib import Path

REPO = Path(__file__).parents[2]

# Every Markdown page of the repository, which are also the pages of the site.
PAGES = sorted(
    [*REPO.glob("*.md"), *REPO.glob("docs/*.md"), *REPO.glob("backends/**/README.md")],
    key=lambda page: page.relative_to(REPO).as_posix(),
)
