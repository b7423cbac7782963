"""A browser tab with the built-in page in it, and what its user sees and does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PASSWORD = "correct horse battery"

_WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI || event.sample}`);
});
"""

_COUNT_FRAMES = """
window.frameTimes = [];
const watch = (video) => {
    const note = (_now, frame) => { window.frameTimes.push(frame.mediaTime); video.requestVideoFrameCallback(note); };
    video.requestVideoFrameCallback(note);
};
new MutationObserver(() => {
    const video = document.querySelector("video:not([data-counted])");
    if (video) { video.dataset.counted = ""; watch(video); }
}).observe(document, { childList: true, subtree: true });
"""


@dataclass
class Screen:
    """One tab. `page` obeys the Content-Security-Policy, so that conditions are polled from outside."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    """Exceptions that nothing on the page caught."""

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.add_init_script(_WATCH_POLICY + _COUNT_FRAMES)

    def open(self, path: str) -> None:
        """Type an address of the page."""
        self.page.goto(self.url + path)

    def sign_in(self, email: str) -> None:
        """Sign in through the form, and be where the films are."""
        self.open("/sign-in")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("link", name="Films")).to_be_visible()

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page's JavaScript gives
        """What a JavaScript expression says."""
        return self.page.evaluate(expression)

    def video(self, expression: str) -> Any:  # noqa: ANN401 - as above
        """What the media element says, such as `.currentTime`; nothing without one."""
        return self.ask(f"document.querySelector('video')?{expression}")

    def until(self, expression: str, *, within: float = 45) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + within
        while not self.ask(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                message = f"not within {within} s: {expression}; the page says: {self.page.inner_text('body')[:300]}"
                raise AssertionError(message)
            self.page.wait_for_timeout(50)

    def plays_beyond(self, seconds: float) -> None:
        """Wait until the film plays beyond a position."""
        at = "document.querySelector('video')"
        self.until(f"{at} && !{at}.paused && !{at}.seeking && {at}.currentTime > {seconds}")

    def choose_quality(self, value: str) -> None:
        """Choose in the player's menu: "auto" or a class such as "480"."""
        self.open_menu("quality")
        self.page.locator(f"[data-menu=quality] [data-value='{value}']").click()
        expect(self.page.locator("media-settings-menu")).to_be_hidden()

    def open_menu(self, menu: str) -> None:
        """Open a line of the player's menu, such as "sound"."""
        self.page.mouse.move(400, 300)
        self.page.mouse.move(420, 320)
        if not self.item(menu).is_visible():
            self.page.locator("media-settings-menu-button").click()
        self.item(menu).click()

    def item(self, menu: str) -> Locator:
        """One line of the player's menu."""
        return self.page.locator(f"[data-menu={menu}]")

    def fits(self) -> bool:
        """Whether nothing sticks out to the side."""
        return bool(self.ask("document.documentElement.scrollWidth <= innerWidth"))

    def assert_sound(self) -> None:
        """Fail when the page broke its Content-Security-Policy or threw."""
        assert self.ask("window.violations") == []
        assert self.wrong == []
