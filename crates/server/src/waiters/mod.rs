//! Who waits in memory: queries for their answers. All of it may be forgotten in a crash.
