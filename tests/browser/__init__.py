"""The site as people meet it: real pages in a real Chromium, against a real server."""
