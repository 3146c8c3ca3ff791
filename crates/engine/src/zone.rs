//! **Time zones**: those bundled with the binary, so that a schedule means the same on every machine.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The bundled zones; a constant in all but its form.
pub(crate) fn zones() -> &'static TimeZoneDatabase {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled)
}

/// A zone by its name, letter by letter. The empty name is UTC, and so is the server's own zone, whatever
/// the machine says.
pub(crate) fn named(name: &str) -> Option<TimeZone> {
    match name {
        "" | "Local" | "UTC" => Some(TimeZone::UTC),
        _ => {
            let zone = zones().get(name).ok()?;
            (zone.iana_name() == Some(name)).then_some(zone)
        }
    }
}
