//! Stories of the workflow machine.
