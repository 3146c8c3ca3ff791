//! Ranges as calendars and cron strings write them: `*`, `5`, `mon-fri`, `10-20/2`, and lists of these.

use proto::temporal::api::schedule::v1::Range;

pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

pub(super) const DAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// What a field may hold.
pub(super) struct Field {
    /// As errors call it.
    pub(super) name: &'static str,
    pub(super) min: i32,
    pub(super) max: i32,
    /// Names of values, from `min` on; a prefix will do.
    names: &'static [&'static str],
    /// ...if it is this long.
    prefix_min: usize,
    /// A star is written as no range at all.
    any_by_default: bool,
}

impl Field {
    pub(super) const fn new(name: &'static str, min: i32, max: i32) -> Self {
        Self {
            name,
            min,
            max,
            names: &[],
            prefix_min: 0,
            any_by_default: false,
        }
    }

    pub(super) const fn named(mut self, names: &'static [&'static str], prefix_min: usize) -> Self {
        self.names = names;
        self.prefix_min = prefix_min;
        self
    }

    pub(super) const fn any_by_default(mut self) -> Self {
        self.any_by_default = true;
        self
    }

    /// A number or a name that lies between these.
    fn value(&self, text: &str, min: i32, max: i32) -> Option<i32> {
        let lower = text.to_lowercase();
        let mut names = self.names.iter();
        let named = (text.len() >= self.prefix_min)
            .then(|| names.position(|name| name.starts_with(&lower)))
            .flatten();
        let value = match named {
            // There are at most twelve names.
            Some(index) => self.min + index as i32,
            None => text.parse().ok()?,
        };
        (min..=max).contains(&value).then_some(value)
    }

    /// Sunday is 0 and may be written 7.
    fn sunday_is_seven(&self) -> bool {
        self.max == 7
    }
}

/// A list of ranges; an empty text stands for the default.
pub(super) fn parse(field: &Field, text: &str, default: &str) -> Result<Vec<Range>, String> {
    let text = match text.trim() {
        "" => default,
        text => text,
    };
    if text == "*" && field.any_by_default {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (start, mut end, step) = range(field, part)?;
        if field.sunday_is_seven() && end == 7 {
            // The seventh day is the first of the next week: unless 0 is there anyway, it is one of its own.
            if (7 - start) % step == 0 && (step > 1 || start > 1) {
                ranges.push(compact(0, 0, 1));
                if start == 7 {
                    continue;
                }
            }
            end = 6;
        }
        ranges.push(compact(start, end, step));
    }
    Ok(ranges)
}

/// Start, end and step of one range.
fn range(field: &Field, part: &str) -> Result<(i32, i32, i32), String> {
    let Field { name, min, max, .. } = *field;
    let (values, step) = match part.split_once('/') {
        None => (part, None),
        Some((_, more)) if more.contains('/') => {
            return Err(format!("{name} has too many slashes"));
        }
        Some((_, "")) => return Err(format!("{name} missing step value")),
        Some((values, step)) => (values, Some(number(step)?)),
    };
    if step.is_some_and(|step| step < 1) {
        return Err(format!("{name} has invalid Step"));
    }
    let out_of_range = format!("not in range [{min}-{max}]");
    let (start, end) = match values.split_once('-') {
        _ if values == "*" => (min, max),
        Some((_, more)) if more.contains('-') => {
            return Err(format!("{name} has too many dashes"));
        }
        Some((start, end)) => {
            let start = field.value(start, min, max);
            let start = start.ok_or_else(|| format!("{name} Start is {out_of_range}"))?;
            let end = field.value(end, start, max);
            let end = end.ok_or_else(|| format!("{name} End is before Start or {out_of_range}"))?;
            (start, end)
        }
        None => {
            let start = field.value(values, min, max);
            let start = start.ok_or_else(|| format!("{name} is {out_of_range}"))?;
            // With a step, a single value runs to the end.
            (start, if step.is_some() { max } else { start })
        }
    };
    Ok((start, end, step.unwrap_or(1)))
}

/// What follows from the rest is left out.
fn compact(start: i32, end: i32, step: i32) -> Range {
    Range {
        start,
        end: if end == start { 0 } else { end },
        step: if step == 1 { 0 } else { step },
    }
}

fn number(text: &str) -> Result<i32, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(format!("strconv.Atoi: parsing \"{text}\": invalid syntax"));
    }
    let value: i64 = text
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing \"{text}\": value out of range"))?;
    // A longer step than any range is as good as any other.
    Ok(i32::try_from(value.clamp(-1, 10_000)).unwrap_or(10_000))
}
