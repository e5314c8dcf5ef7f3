"""The browser that the card's tests use starts, draws a page and sees no network."""

from __future__ import annotations

from playwright.sync_api import sync_playwright


def test_chromium_draws_a_page_without_scripts(chromium: str) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            context = browser.new_context(java_script_enabled=False, offline=True)
            page = context.new_page()
            page.set_content("<h1>card</h1><script>document.body.textContent = 'no'</script>")
            assert page.get_by_role("heading").inner_text() == "card"
        finally:
            browser.close()
