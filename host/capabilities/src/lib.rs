//! Everything that does, each no more than its grant says: files, log, clock, random, inert WASI.
