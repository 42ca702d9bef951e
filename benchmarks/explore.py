"""How long the page of `svevae explore` takes to answer a slider, in headless Chromium, from the
key press to the redrawn figures.

Needs chromium, chromedriver and the kept model (`dvc pull data.dvc champion.dvc`). Writes
explore.json: median and 95 % quantile in milliseconds; `server` is the part from request to
response, `page` all, with WebGL in software. `python benchmarks/explore.py` (2 minutes)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

HERE = Path(__file__).parent
RESULT = HERE / "explore.json"
PORT = 5106
STEPS = 60
WARM_UP = 5
# Presses the arrow key at slider `k`; answers when the numbers have changed and each figure was
# drawn after that, two frames later.
PRESS = """
const [k, done] = arguments;
const figures = [...document.querySelectorAll('.js-plotly-plot')];
const begun = performance.now();
const drawn = new Set();
const finish = () => requestAnimationFrame(() => requestAnimationFrame(() => {
    const answers = performance.getEntriesByType('resource')
        .filter(e => e.startTime >= begun && e.name.includes('_dash-update'));
    done([performance.now() - begun, Math.max(...answers.map(e => e.duration))]);
}));
figures.forEach(figure => figure.once('plotly_afterplot', () => {
    drawn.add(figure);
    if (drawn.size === figures.length) finish();
}));
const key = {key: 'ArrowLeft', code: 'ArrowLeft', keyCode: 37, which: 37, bubbles: true,
    cancelable: true};
document.querySelectorAll('[role=slider]')[k].focus();
document.querySelectorAll('[role=slider]')[k].dispatchEvent(new KeyboardEvent('keydown', key));
"""


def open_browser(folder: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    flags = (
        "headless",
        "no-sandbox",
        "use-angle=swiftshader",
        "enable-unsafe-swiftshader",
        "window-size=1600,1200",
        f"user-data-dir={folder}",
    )
    for flag in flags:
        options.add_argument(f"--{flag}")
    page = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    page.set_script_timeout(30)
    return page


def main() -> None:
    command = [
        str(Path(sys.executable).with_name("svevae")),
        "explore",
        "-m",
        "champion/model",
        "--no-browser",
        "--port",
        str(PORT),
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{PORT}/")
            page = open_browser(folder)
            page.get(f"http://127.0.0.1:{PORT}/")
            WebDriverWait(page, 60).until(
                lambda _: page.find_elements(By.CSS_SELECTOR, "#pores-figure canvas")
            )
            time.sleep(3)
            times = np.array(
                [page.execute_async_script(PRESS, step % 3) for step in range(WARM_UP + STEPS)]
            )[WARM_UP:]
            page.quit()
        finally:
            server.kill()
    found = {
        name: {"median": float(np.median(column)), "95 %": float(np.quantile(column, 0.95))}
        for name, column in zip(("page", "server"), times.T, strict=True)
    }
    RESULT.write_text(
        json.dumps({"milliseconds": found, "steps": STEPS, "cores": os.cpu_count()}, indent=1)
        + "\n"
    )
    print(json.dumps(found))


def wait_for(address: str) -> None:
    for _ in range(120):
        try:
            requests.get(address, timeout=1)
            return
        except requests.RequestException:
            time.sleep(1)
    raise SystemExit(f"{address} does not answer")


if __name__ == "__main__":
    main()
