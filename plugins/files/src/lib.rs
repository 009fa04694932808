//! First-party plugin: list, read, search and stat files in named directories.
