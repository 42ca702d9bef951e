"""The page of `svevae explore`: what it answers to whom, and (slow) the page itself in headless
Chromium.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import requests
import tifffile

from svevae.cli import main
from svevae.errors import ConfigError
from svevae.explore.page import explore, make_app
from svevae.explore.pages import GONE
from svevae.explore.session import Explorer
from svevae.model.latent import save_folder
from tests.conftest import PAGE_PATIENCE, PATIENCE, see, serving
from tests.explore.answers import OWN, answer, drop, npy, open_page


def test_only_its_own_pages_are_answered(explorer: Explorer) -> None:
    client = make_app(explorer, "champion/model", 5006, ["lab.example"]).server.test_client()

    def status(base: str, origin: str | None = None) -> int:
        headers = {} if origin is None else {"Origin": origin}
        return client.get("/", base_url=base, headers=headers).status_code

    for base in (OWN, "http://localhost:5006", "http://[::1]:5006", "https://lab.example"):
        assert status(base) == status(base, base) == 200
        assert status(base, "http://example.org") == status(base, "http://127.0.0.1:8000") == 403
    for stranger in ("http://example.org:5006", "http://192.0.2.1:5006", "http://127.0.0.1:5007"):
        assert status(stranger) == 403
    asked = client.post(
        "/_dash-update-component", base_url=OWN, json={}, headers={"Origin": "null"}
    )
    assert asked.status_code == 403


def test_everything_comes_from_this_machine(explorer: Explorer) -> None:
    text = (
        make_app(explorer, "champion/model")
        .server.test_client()
        .get("/", base_url=OWN)
        .get_data(as_text=True)
    )
    sources = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]*)"', text)
    assert len(sources) > 5
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"port: expected a free port of this machine, received {port}: "
        ):
            explore(str(tmp_path), None, port, browser=False)
    with pytest.raises(
        ConfigError, match="port: expected a free port of this machine, received 70000"
    ):
        explore(str(tmp_path), None, 70000, browser=False)


def test_a_model_without_uncertainty(
    explorer: Explorer, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    network = explorer.model.model
    old = keras.Model(
        network.input,
        {key: value for key, value in network.output.items() if key != "properties_std"},
    )
    save_folder(tmp_path / "model", old, explorer.model.contract)
    assert main(["explore", "--model", str(tmp_path / "model"), "--port", "0", "--no-browser"]) == 2
    assert (
        "received one without properties_std; one of an earlier svevae has to be trained again"
        in capsys.readouterr().err
    )


def test_two_pages_each_with_its_own_volume(explorer: Explorer) -> None:
    """A asks for its SVE after B has dropped another volume, and is given its own."""
    app = make_app(explorer, "any")
    first, second = open_page(app), open_page(app)
    dense, porous = np.zeros((8, 8, 8), np.uint8), np.zeros((8, 8, 16), np.uint8)
    porous[:, :, ::2] = 1
    assert drop(app, first, "first.npy", npy(dense))["count"] == 1
    dropped = drop(app, second, "second.npy", npy(porous))
    assert dropped["count"] == 2
    seen = {}
    for page, count in ((first, 1), (second, 2)):
        stored = {"count": count}
        seen[page] = answer(
            app, "start", "dropped.data", dropped=stored, page=page, **{"pores-are": "dark"}
        )
    assert "cut from first.npy" in str(seen[first]["said"])
    assert "cut from second.npy" in str(seen[second]["said"])
    wish = {"moves": [], "pores": "binary", "axis": "z", "count": 1}
    wish |= {"start": seen[second]["start"]["data"]}
    stolen = answer(app, "pores-figure", "wish.data", wish=wish, page=first)
    assert "reload it" in str(stolen["numbers"])
    assert "figure" not in stolen.get("pores-figure", {})


def test_a_page_of_another_server_is_told_so(explorer: Explorer) -> None:
    """By whatever it asks, in words and not by an error of the server."""
    old, app = open_page(make_app(explorer, "any")), make_app(explorer, "any")
    wish = {"start": "any", "moves": [], "pores": "binary", "axis": "z", "count": 1}
    assert drop(app, old, "a.npy", npy(np.zeros((8, 8, 8))))["error"] == GONE
    for of, trigger in (
        ("start", "sample.n_clicks"),
        ("pores-figure", "wish.data"),
        ("clock", "solve.n_clicks"),
    ):
        assert GONE in str(answer(app, of, trigger, wish=wish, start="any", page=old))


def test_what_nobody_foresaw_is_shown(explorer: Explorer, caplog: pytest.LogCaptureFixture) -> None:
    """And the page is answered, so that it goes on."""
    app = make_app(explorer, "any")
    page = open_page(app)
    start = answer(app, "start", "", page=page)["start"]["data"]
    wish = {"start": start, "moves": [0.0] * 99, "pores": "decoded", "axis": "z", "count": 7}
    found = answer(app, "pores-figure", "wish.data", wish=wish, page=page)
    assert found["answered"]["data"] == 7
    assert "ValueError" in found["numbers"]["children"]["props"]["children"]
    assert "svevae explore" in caplog.text


def test_sliders_that_are_mounted_move_nothing(explorer: Explorer) -> None:
    """Dash calls what sets them as when the page is new; the SVE and its moves stay."""
    app = make_app(explorer, "any")
    page = open_page(app)
    first = answer(app, "start", "", page=page)
    assert first["start"]["data"]
    assert answer(app, "start", "", start=first["start"]["data"], page=page) is None


@pytest.fixture(scope="module")
def address(finished: Path, environment: dict[str, str]) -> Iterator[str]:
    with serving(
        ["svevae", "explore", "--model", "artifacts/model", "--no-browser"],
        "/",
        finished,
        environment,
    ) as url:
        yield url


COUNT_REQUESTS = """
window.pending = 0;
const fetching = window.fetch;
window.fetch = (...request) => {
    window.pending += 1;
    return fetching(...request).finally(() => { window.pending -= 1; });
};
"""
CALM = """
const [done] = arguments;
let calm = 0;
(function look() {
    calm = window.pending ? 0 : calm + 1;
    calm > 10 ? done() : requestIdleCallback(look);
})();
"""


@pytest.mark.slow
def test_the_page(browser, address: str, tmp_path: Path) -> None:
    """Pick, move, solve, drop a good and a bad volume; nothing from elsewhere, no error in the
    browser's log.
    """
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def numbers() -> str:
        return browser.find_element(By.ID, "numbers").text

    def wait(condition) -> None:
        WebDriverWait(browser, PAGE_PATIENCE).until(lambda _: condition())

    def settle() -> None:
        """Until all that was asked is answered and drawn: ten times in a row the page is idle."""
        browser.execute_async_script(CALM)

    browser.set_script_timeout(PAGE_PATIENCE)
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT_REQUESTS})
    browser.get(address)
    see(
        browser,
        "svevae explore",
        "novelty",
        "90 % interval",
        "Every latent unit",
        "of 96 in tiny.h5",
        picture="explore",
    )
    assert browser.find_elements(By.CSS_SELECTOR, "#pores-figure canvas")
    picked = numbers()
    slider = browser.find_elements(By.CSS_SELECTOR, "[role=slider]")[0]
    for _ in range(10):
        slider.send_keys(Keys.ARROW_LEFT)
    wait(lambda: numbers() != picked)
    see(browser, "\u22121.0", picture="explore-moved")
    browser.find_element(By.ID, "reset").click()
    wait(lambda: numbers() == picked)

    browser.find_element(By.ID, "another").click()
    wait(lambda: numbers() != picked)
    slider.send_keys(Keys.ARROW_LEFT)
    see(browser, "\u22120.1", picture="explore-another")
    settle()
    picked = numbers()
    few = len(browser.find_elements(By.CSS_SELECTOR, "[role=slider]"))
    browser.find_element(By.CSS_SELECTOR, "#open-units summary").click()
    wait(lambda: len(browser.find_elements(By.CSS_SELECTOR, "[role=slider]")) > few)
    settle()
    assert numbers() == picked, "the SVE and its move stay"
    spreads = browser.find_element(By.ID, "units").text
    spreads = [float(std) for std in re.findall(r"standard deviation (\S+)", spreads)]
    # the others may be unused, and then move no digit of the numbers
    used = few + int(np.argmax(spreads))
    unit = browser.find_elements(By.CSS_SELECTOR, "[role=slider]")[used]
    for _ in range(10):
        unit.send_keys(Keys.ARROW_RIGHT)
    wait(lambda: numbers() != picked)
    see(browser, "+1.0", "\u22120.1", picture="explore-unit")
    browser.find_element(By.ID, "reset").click()
    settle()  # while that is answered the next button is disabled, and a click on it lost

    browser.find_element(By.ID, "sample").click()
    see(browser, "Sample ", "of the model", picture="explore-sampled")
    number = browser.find_element(By.ID, "pick")
    number.send_keys(Keys.CONTROL, "a")
    number.send_keys("7", Keys.ENTER)
    see(browser, "SVE 7 of tiny.h5", picture="explore-picked")
    wait(lambda: browser.find_element(By.ID, "solve").is_enabled())
    browser.find_element(By.ID, "solve").click()
    see(browser, "solved in", picture="explore-solved")
    assert browser.find_element(By.ID, "solver-error").text == ""

    volume = (np.random.default_rng(0).random((32, 40, 70)) < 0.03).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "scan.tif",
        volume,
        imagej=True,
        resolution=(0.2, 0.2),
        metadata={"spacing": 5.0, "unit": "um"},
    )
    (tmp_path / "notes.txt").write_text("no volume", encoding="utf-8")
    drop = browser.find_element(By.CSS_SELECTOR, "input[type=file]")
    drop.send_keys(str(tmp_path / "scan.tif"))
    see(
        browser,
        "cut from scan.tif",
        "Voxels of 5 µm, where the model was trained on 10 µm",
        "of 2, from 0",
        picture="explore-volume",
    )
    drop.send_keys(str(tmp_path / "notes.txt"))
    see(
        browser,
        "notes.txt: expected a folder of slices or a file",
        "cut from scan.tif",
        picture="explore-wrong",
    )

    settle()
    entries = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert all(entry.startswith((address, "blob:", "data:")) for entry in entries), entries
    assert [
        entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
    ] == []


@pytest.mark.slow
def test_two_users_at_once(browser, address: str, tmp_path: Path) -> None:
    """Two windows, each with a volume of its own; the first asks again after the second has
    dropped. A file that is too large is refused before it is sent.
    """
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    windows = [browser.current_window_handle]
    browser.switch_to.new_window("window")
    windows.append(browser.current_window_handle)
    random = np.random.default_rng(0)
    for window, name, count in zip(windows, ("first", "second"), (2, 3), strict=True):
        volume = (random.random((32, 32, 32 * count)) < 0.03).astype(np.uint8)
        np.save(tmp_path / f"{name}.npy", volume)
        browser.switch_to.window(window)
        browser.get(address)
        see(browser, "novelty", picture=f"explore-{name}")
        upload = browser.find_element(By.CSS_SELECTOR, "input[type=file]")
        upload.send_keys(str(tmp_path / f"{name}.npy"))
        words = f"SVE 0 of {count} SVEs cut from {name}.npy"
        see(browser, words, picture=f"explore-{name}-volume")
    for window, words in zip(windows, ("1 of 2 SVEs cut from first", "1 of 3 SVEs"), strict=True):
        browser.switch_to.window(window)
        cut = browser.find_element(By.ID, "cut")
        cut.send_keys(Keys.CONTROL, "a")
        cut.send_keys("1", Keys.ENTER)
        see(browser, words, picture="explore-other-cut")
    with (tmp_path / "large.npy").open("wb") as file:
        file.truncate(129 << 20)
    upload = browser.find_element(By.CSS_SELECTOR, "input[type=file]")
    upload.send_keys(str(tmp_path / "large.npy"))
    see(browser, "large.npy: expected at most 128 MB, received 129", picture="explore-large")
    assert "1 of 3 SVEs cut from second.npy" in see(browser, "SVE", picture="explore-kept")
    browser.close()
    browser.switch_to.window(windows[0])


@pytest.mark.slow
def test_strangers_at_the_door(address: str) -> None:
    """The server itself: another name, another origin, its own."""
    layout = f"{address}/_dash-layout"
    for headers, status in (
        ({}, 200),
        ({"Origin": address}, 200),
        ({"Host": "example.org"}, 403),
        ({"Origin": "http://example.org"}, 403),
    ):
        assert requests.get(layout, headers=headers, timeout=PATIENCE).status_code == status
