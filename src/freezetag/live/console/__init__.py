"""The console: pages that the server renders, a stylesheet, and a script that keeps them fresh.

`markup` escapes, `words` says what states and records mean, `page` is the console, `answers` are
the pages that follow a form, `reset` is the page of the two signatures. The server's handlers serve
them. All works without the script; it only fetches the same page again on news, and adds keys.
"""
