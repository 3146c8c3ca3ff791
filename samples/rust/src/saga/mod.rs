pub mod activities;
pub mod demo;
pub mod workflow;
