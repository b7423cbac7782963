"""Takes films in: resumable uploads, imports of files and folders, and the probe that judges them."""
