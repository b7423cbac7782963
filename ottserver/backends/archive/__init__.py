"""Backup and restore: everything durable in one tar file that fits any backend.

`manifest.json` says what wrote it; `tables/NAME.jsonl` has the rows of one table, read in one snapshot, a JSON object
a line; `blobs/KEY` has the bytes of one blob and `checksums/KEY` behind it their SHA-256, as sha256sum(1) prints it;
`complete.json` is the last member. Any tar(1) reads it. `tar` writes and reads members, `rows` dumps and loads tables.
"""
