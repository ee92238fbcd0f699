"""The HTML report in a real browser: it loads without complaints, can be filtered, zoomed, used without a mouse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import ZOO

from onnxq.cli import main

pytestmark = pytest.mark.browser
MODELS = Path(__file__).parents[2] / "models"
LAPTOP, PHONE = (1366, 900), (360, 740)

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    data = ["--calib", str(MODELS / "digits_calib.npz"), "--eval", str(MODELS / "digits_eval.npz")]
    model, out = str(MODELS / "digits_resnet.onnx"), str(folder / "out.onnx")
    assert main(["quantize", model, out, *data, "--report", str(folder / "r.html"), "-q"]) == 0
    return folder / "r.html"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver  # noqa: PLC0415
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield started
    started.quit()


@pytest.fixture
def opened(driver: Any, page: Path) -> Open:
    def opened(size: tuple[int, int] = LAPTOP, scheme: str = "light", path: Path = page) -> Any:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.get("about:blank")
        for kind in ("browser", "performance"):
            driver.get_log(kind)  # forgets what earlier tests left
        driver.get(path.as_uri())
        return driver

    return opened


def shown(browser: Any, what: str = "[data-find]") -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => !e.hidden).map(e => e.textContent)"
    return browser.execute_script(script, what)


def element(browser: Any, css: str) -> Any:
    return browser.find_element("css selector", css)


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_without_a_complaint_and_asks_for_nothing(opened, size, scheme):
    browser = opened(size, scheme)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_nothing_is_wider_than_the_screen(opened, size):
    width = opened(size).execute_script("return document.documentElement.scrollWidth")
    assert width <= size[0]


def test_dark_is_dark_and_light_is_light(opened):
    script = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(opened(scheme="light").execute_script(script)) > 200
    assert max(opened(scheme="dark").execute_script(script)) < 60


def test_a_search_leaves_what_holds_all_words(opened):
    browser = opened()
    everything = shown(browser)
    element(browser, "#search").send_keys("relu fused")
    found = shown(browser)
    assert 0 < len(found) < len(everything)
    assert all("relu" in text.lower() and "fused" in text.lower() for text in found)
    assert element(browser, "#found").text == f"{len(found)} of {len(everything)} shown"
    element(browser, "#search").clear()
    element(browser, "#search").send_keys("nothing is called this")
    assert shown(browser) == []


def test_the_filter_leaves_nodes_of_one_kind(opened):
    browser = opened()
    element(browser, "#kind").send_keys("INT8")
    rows = shown(browser, "#nodes tr[data-find]")
    assert rows
    assert all(row.startswith(("Conv", "Add")) for row in rows)


def test_a_link_to_a_line_that_is_filtered_away_brings_it_back(opened):
    browser = opened()
    element(browser, "#search").send_keys("nothing is called this")
    browser.execute_script("location.hash = 'n3'")
    assert len(shown(browser, "#n3")) == 1


def test_the_graph_can_be_zoomed(opened):
    browser = opened()
    before = element(browser, ".graph").size["width"]
    element(browser, "[data-zoom='1.25']").click()
    assert element(browser, ".graph").size["width"] == pytest.approx(1.25 * before, abs=1)
    element(browser, "[data-zoom='fit']").click()
    assert element(browser, ".graph").size["width"] == pytest.approx(before, abs=1)


def test_everything_can_be_reached_with_the_tab_key(opened):
    from selenium.webdriver import ActionChains, Keys  # noqa: PLC0415

    browser = opened()
    focused = "return (e => e.id || e.getAttribute('class') || e.outerHTML)(document.activeElement)"
    seen = []
    for _ in range(40):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        seen.append(browser.execute_script(focused))
    assert seen[0] == "skip"
    assert {"search", "kind", "scroll canvas"} <= set(seen)
    assert len({text for text in seen if text.startswith("<button")}) == 4


@pytest.mark.zoo
@pytest.mark.slow
def test_that_of_a_residual_network_of_56_layers_is_small_and_opens_at_once(opened, tmp_path):
    images = np.random.default_rng(0).normal(size=(8, 3, 32, 32)).astype(np.float32)
    np.savez(tmp_path / "calib.npz", input=images)
    model, page = str(ZOO / "models" / "cifar10_resnet56.onnx"), tmp_path / "r.html"
    calib = str(tmp_path / "calib.npz")
    command = ["quantize", model, str(tmp_path / "o.onnx"), "--calib", calib, "--report", str(page), "-q"]
    assert main(command) == 0
    assert page.stat().st_size < 5_000_000
    browser = opened(path=page)
    milliseconds = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert browser.execute_script(milliseconds) < 2000
    assert browser.get_log("browser") == []
