"""Write the generated pages, and copy all pages to where the site is built from.

`python -m tests.documents` is the first half of `make docs`; `zensical build` is the second.
"""

import shutil

from tests.documents import PAGES, REPO, api_page, settings_page, tags_page
from tests.documents.official_examples import page as official_page

GENERATED = {
    REPO / "docs" / "settings.md": settings_page.render_page,
    REPO / "docs" / "api.md": api_page.render_page,
    REPO / "docs" / "tags.md": tags_page.render_page,
    REPO / "docs" / "official-examples.md": official_page.render_page,
}
# The pages link to each other, and to the backends' READMEs, as they lie in the repository. The
# site is built from a copy of that tree, so that the same links work on GitHub and in the site.
SITE_SOURCE = REPO / "build" / "docs"


def main() -> None:
    """Write the generated pages and the source of the site."""
    for page, render in GENERATED.items():
        page.write_text(render(), "utf-8")
    shutil.rmtree(SITE_SOURCE, ignore_errors=True)
    for page in {*PAGES, *GENERATED, *REPO.glob("docs/*.png")}:
        target = SITE_SOURCE / page.relative_to(REPO)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, target)


if __name__ == "__main__":
    main()
