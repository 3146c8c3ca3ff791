//! Stories of schedules, and random lives of them (`fuzz.rs`), in a world of simple workflows (`world.rs`).

mod fuzz;
mod stories;
mod world;
