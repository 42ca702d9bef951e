"""A hook of mkdocs: each notebook of notebooks/ becomes a page, its cells as they are committed,
without outputs.
"""

from __future__ import annotations

import json
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add notebooks/NAME.md for each notebook."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        name = f"notebooks/{path.stem}.md"
        files.append(File.generated(config, name, content=page(path)))
    return files


def page(path: Path) -> str:
    """The Markdown of a notebook: text as it is, code in fences, and how to run it below its
    title.
    """
    cells = [
        "".join(cell["source"])
        if cell["cell_type"] == "markdown"
        else f"```python\n{''.join(cell['source'])}\n```"
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]
    title, _, rest = cells[0].partition("\n")
    note = f"*This page is `notebooks/{path.name}`. Open it in Jupyter to run it.*"
    return "\n\n".join([title, note, rest.strip(), *cells[1:]]) + "\n"
