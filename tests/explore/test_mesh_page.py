"""What a page answers about a mesh, asked as a browser asks; (slow) in headless Chromium."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dash import Dash

from svevae.explore import session
from svevae.explore.mesh import SAMPLED, VOLUME, MeshSession
from svevae.explore.mesh_page import _on_page
from svevae.explore.page import make_app
from svevae.explore.pages import GONE
from svevae.explore.session import Explorer
from tests.conftest import PAGE_PATIENCE, ROOT, see, serving
from tests.explore.answers import answer, drop, npy, open_page
from tests.explore.meshes import curves_too, text_of
from tests.meshes.bars import bar
from tests.use.test_field import VOLUME as SCAN

BAR = text_of(bar("C3D8", (2, 2, 2), 0.04))
CHOICE = {"mesh-unit": "mm", "mesh-source": VOLUME, "pores-are": "dark"}


@pytest.fixture
def app(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> Dash:
    """Pages whose meshes are filled by the stand-in that encodes the porosity."""
    made = curves_too()
    monkeypatch.setattr(
        session, "MeshSession", lambda _, data, known: MeshSession(made, data, known)
    )
    return make_app(explorer, "any")


def fill(app: Dash, page: str, trigger: str = "mesh-dropped.data", **values: object) -> dict:
    asked = CHOICE | {"page": page, "mesh-dropped": {"at": 1.0}} | values
    return answer(app, "mesh-filled", trigger, **asked)


def test_a_volume_and_a_mesh(app: Dash) -> None:
    """Dropped on the same box; then shown, cut, clicked and downloaded."""
    page = open_page(app)
    # SVEs of the page have 8 voxels, those of the stand-in 4
    assert drop(app, page, "scan.npy", npy(SCAN))["count"] == 1
    assert drop(app, page, "bar.inp", BAR, "mesh-dropped")["at"] > 0
    found = fill(app, page)
    assert not found["mesh-card"]["hidden"]
    assert found["mesh-source"]["value"] == VOLUME
    assert found["mesh-seeds"]["hidden"]
    assert found["mesh-summary"]["children"] == "bar.inp: 8 elements, 27 nodes, 8 SVEs"
    assert (found["mesh-pull"]["value"], found["mesh-hold"]["value"]) == ("TOP", "BOTTOM")
    token = found["mesh-filled"]["data"]
    asked = {"mesh-filled": token, "mesh-show": "E", "mesh-axis": "x", "mesh-cut": 0.5}
    shown = answer(app, "mesh-shown", "mesh-axis.value", page=page, **asked)
    assert shown["mesh-shown"]["children"] == "x to 0.04 mm: 4 of 8 elements"
    assert not shown["mesh-cutting"]["hidden"]
    number = shown["mesh-figure"]["figure"]["data"][0]["customdata"][0]
    clicked = {"points": [{"customdata": number}]}
    asked = {"mesh-pull": "TOP", "mesh-hold": "BOTTOM", "mesh-strain": 1.0}
    deck = answer(app, "mesh-download", "mesh-deck.n_clicks", page=page, **asked)
    assert deck["mesh-download"]["data"]["filename"] == "bar-part.zip"
    content = base64.b64decode(deck["mesh-download"]["data"]["content"])
    assert "bar-part.inp" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert "next: svevae run bar-part.inp" in str(deck["mesh-deck-say"])
    asked["mesh-pull"] = "LID"
    wrong = answer(app, "mesh-download", "mesh-deck.n_clicks", page=page, **asked)
    assert "pull LID: expected a set of nodes" in str(wrong["mesh-deck-say"])
    assert "mesh-download" not in wrong
    nothing = answer(app, "start", "mesh-figure.clickData", page=page)
    assert nothing is None, "a figure that is filled anew is no click"
    # the page's network takes 8 voxels
    said = answer(app, "start", "mesh-figure.clickData", page=page, **{"mesh-figure": clicked})
    assert "expected" in str(said["wrong"])


def test_what_the_mesh_follows(app: Dash) -> None:
    """A volume that is dropped after it; not one that is no volume, nor greys of a sampled part."""
    page = open_page(app)
    assert fill(app, page, "dropped.data", **{"mesh-dropped": None}) is None
    drop(app, page, "bar.inp", BAR, "mesh-dropped")
    found = fill(app, page)
    assert "drop the scan of the part, too" in str(found["mesh-notes"])
    assert found["mesh-picture"]["hidden"]
    assert found["mesh-filled"]["data"] is None
    assert fill(app, page, "dropped.data", dropped={"error": "bad"}) is None
    drop(app, page, "scan.npy", npy(SCAN))
    choice = {"mesh-source": SAMPLED, "dropped": {"count": 1}}
    found = fill(app, page, "dropped.data", **choice)
    assert found["mesh-source"]["value"] == VOLUME
    assert not found["mesh-picture"]["hidden"]
    assert "mesh-pull" not in found or "value" not in found["mesh-pull"], "as the user chose"
    for trigger in ("pores-are.value", "threshold.value", "origin-x.value"):
        assert fill(app, page, trigger, **{"mesh-source": SAMPLED}) is None
    assert fill(app, page, "mesh-porosity.value", **{"mesh-porosity": "0.1"}) is None
    turned = fill(app, page, "rotation-z.value", **{"rotation-z": 90.0, "origin-x": 0.08})
    assert "scan from 0, 0, 0 to 0.08, 0.1, 0.09 mm" in turned["mesh-boxes"]["children"]
    far = answer(app, "mesh-busy-far", "mesh-clock.n_intervals", page=page)
    assert far["mesh-busy-far"]["children"].endswith(" gone")
    assert answer(app, "mesh-busy-far", "mesh-clock.n_intervals", page="another") is None


def test_words_of_the_page() -> None:
    """No option of the command."""
    assert _on_page("a; --mesh-unit says its unit; --voxel-size says it") == "a; say its unit"


def test_a_mesh_elsewhere_is_told_in_words_of_the_page(app: Dash) -> None:
    page = open_page(app)
    drop(app, page, "scan.npy", npy(SCAN))
    drop(app, page, "bar.inp", BAR, "mesh-dropped")
    said = str(fill(app, page, "origin-x.value", **{"origin-x": 7.0})["mesh-notes"])
    assert "received a mesh from" in said
    assert "and a scan from 7, 0, 0 to 7.1, 0.08, 0.09 mm" in said
    assert "--origin" not in said


def test_a_file_that_is_no_mesh(app: Dash) -> None:
    """Is told where volumes are, and takes nothing away."""
    page = open_page(app)
    for name, content, words in (
        ("a.inp", b"hello", "a.inp, line 1: expected a keyword"),
        ("a.inp", b"*INCLUDE, INPUT=/etc/hostname", "received another one that it includes"),
        ("a.msh", b"hello", "a.msh: expected a mesh that meshio reads"),
    ):
        assert words in str(drop(app, page, name, content, "wrong"))
    drop(app, page, "bar.inp", BAR, "mesh-dropped")
    drop(app, page, "a.inp", b"hello", "wrong")
    drop(app, page, "scan.npy", npy(SCAN))
    assert "bar.inp: 8 elements" in fill(app, page)["mesh-summary"]["children"]


def test_a_page_that_is_gone(app: Dash, explorer: Explorer) -> None:
    old = open_page(make_app(explorer, "any"))
    assert GONE in str(fill(app, old)["mesh-notes"])
    asked = {"mesh-filled": 1.0, "mesh-show": "E", "mesh-axis": "", "mesh-cut": 0.5}
    assert GONE in str(answer(app, "mesh-shown", "mesh-show.value", page=old, **asked))
    assert GONE in str(answer(app, "mesh-download", "mesh-deck.n_clicks", page=old))
    assert GONE in str(drop(app, old, "bar.inp", BAR, "wrong"))


@pytest.fixture(scope="module")
def address(
    champion: Path,
    tiny_file: Path,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    command = ["svevae", "explore", str(tiny_file), "--model", str(champion), "--no-browser"]
    with serving(command, "/", tmp_path_factory.mktemp("served"), environment) as url:
        yield url


@pytest.mark.slow
def test_the_mesh_of_a_page(browser, address: str, tmp_path: Path) -> None:
    """A notched bar, sampled, then of a scan: shown, cut, clicked, its deck downloaded and read by
    `svevae check`'s reader; what is no mesh is told. No error in the browser's log.
    """
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(condition) -> None:
        WebDriverWait(browser, PAGE_PATIENCE).until(lambda _: condition())

    mesh, notes = tmp_path / "notched.inp", tmp_path / "notes.inp"
    script = ROOT / "benchmarks" / "notched_bar.py"
    subprocess.run([sys.executable, str(script), str(mesh)], check=True)
    notes.write_text("no mesh", encoding="utf-8")
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    browser.get(address)
    see(browser, "novelty", picture="mesh-none")
    box = browser.find_element(By.CSS_SELECTOR, "#drop-here input[type=file]")
    box.send_keys(str(mesh))
    see(browser, "notched.inp: 288 elements, 513 nodes", "seed 1", picture="mesh-sampled")
    browser.find_element(By.ID, "mesh-another").click()
    see(browser, "seed 2", picture="mesh-another")
    porosity = browser.find_element(By.ID, "mesh-porosity")
    porosity.send_keys("lots", Keys.ENTER)
    see(browser, "porosity: expected a number from 0 to 1 or DISTANCE", picture="mesh-no-porosity")
    porosity.send_keys(4 * Keys.BACKSPACE, "0:0.02,0.3:0.04", Keys.ENTER)
    browser.find_element(By.ID, "rotation-y").send_keys("90", Keys.ENTER)
    browser.find_element(By.CSS_SELECTOR, "#mesh-card summary").click()
    see(browser, "% asked for", "90 degrees from z of the mesh", picture="mesh-porosity")
    porosity.send_keys(15 * Keys.BACKSPACE, Keys.ENTER)
    browser.find_element(By.ID, "rotation-y").send_keys(2 * Keys.BACKSPACE, Keys.ENTER)
    see(browser, "none asked for", picture="mesh-as-before")
    scan = (np.random.default_rng(0).random((128, 64, 384)) < 0.03).astype(np.uint8)
    np.save(tmp_path / "scan.npy", scan)
    box.send_keys(str(tmp_path / "scan.npy"))
    see(browser, "scan from 0, 0, 0 to 1.28, 0.64, 3.84 mm", picture="mesh-scan")
    browser.find_elements(By.CSS_SELECTOR, "#mesh-axis input")[1].click()
    see(browser, "x to 0.64 mm: 144 of 288 elements", picture="mesh-cut")
    box.send_keys(str(notes))
    see(browser, "notes.inp, line 1: expected a keyword", "288 elements", picture="mesh-wrong")
    canvas = browser.find_element(By.CSS_SELECTOR, "#mesh-figure canvas")

    def click() -> bool:
        """plotly looks where the pointer is when it draws, which takes its time here."""
        pointer = ActionChains(browser).move_to_element(canvas).pause(0.5)
        pointer.move_by_offset(3, 3).pause(0.5).click_and_hold().pause(0.5).release().perform()
        return "round element" in browser.find_element(By.ID, "said").text

    wait(click)
    see(browser, "of notched.inp", picture="mesh-clicked")
    browser.find_element(By.ID, "mesh-deck").click()
    see(browser, "next: svevae run notched-part.inp", picture="mesh-deck")
    wait(lambda: (tmp_path / "notched-part.zip").is_file())
    shutil.unpack_archive(tmp_path / "notched-part.zip", tmp_path / "deck")
    assert (tmp_path / "deck" / "notched-part.inp").read_text(encoding="utf-8").count("*STEP") == 1
    first = browser.find_element(By.ID, "origin-x")
    first.send_keys("9", Keys.ENTER)
    see(browser, "received a mesh from", "and a scan from 9, 0, 0", picture="mesh-elsewhere")
    first.send_keys(Keys.BACKSPACE, Keys.ENTER)
    see(browser, "scan from 0, 0, 0 to 1.28, 0.64, 3.84 mm", picture="mesh-again")
    assert [
        entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
    ] == []
