//! Spans of time in the notation of Go, which the wire's users write: `1h30m`, `-1.5h`, `300ms`.

/// Parses a span into nanoseconds: a sign, then numbers with units `ns`, `us`, `µs`, `ms`, `s`,
/// `m` or `h`, or a plain `0`. None for anything else, and for more than 292 years.
pub fn parse(text: &str) -> Option<i64> {
    parse_units(text, unit_ns)
}

/// As [`parse`], with one more unit: `d`, of 24 hours.
pub fn parse_with_days(text: &str) -> Option<i64> {
    parse_units(text, |unit| match unit {
        "d" => Some(24 * 3_600_000_000_000),
        _ => unit_ns(unit),
    })
}

fn parse_units(text: &str, unit_ns: impl Fn(&str) -> Option<i128>) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total = total.checked_add(scaled(number, unit_ns(unit)?)?)?;
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn unit_ns(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        // Both the micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A decimal number times a unit, rounded towards zero.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if fraction.contains('.') {
        return None;
    }
    let whole_ns = digits(whole)?.checked_mul(unit)?;
    // Places past the eighteenth are less than a nanosecond of any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    // At most 18 places.
    let scale = 10_i128.pow(fraction.len() as u32);
    Some(whole_ns + digits(fraction)? * unit / scale)
}

/// A number of digits, of which none are 0. At most nineteen count: more overflow in any unit.
fn digits(text: &str) -> Option<i128> {
    match text.trim_start_matches('0') {
        "" => Some(0),
        long if long.len() > 19 => None,
        significant => significant.parse().ok(),
    }
}
