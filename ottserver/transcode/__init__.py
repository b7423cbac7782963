"""Turns a source into segments: each one a pure function of source, rendition and index, made when it is wanted."""
