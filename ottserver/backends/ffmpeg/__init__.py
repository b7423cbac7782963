"""FFmpeg in child processes: what ingest's probe and transcode's workers share.

`sourcefile` opens one local file and nothing else (the only module here that imports `av`: children only), `child` is
what a child does to itself first, `spawn` is how the serving process starts one.
"""
