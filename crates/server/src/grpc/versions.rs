//! Semantic versions and ranges of them, as far as the version headers use them.

use std::cmp::Ordering;

/// A version; build metadata does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Version {
    /// # Errors
    /// What is wrong, in the words that clients of the reference see.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts.as_slice() else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let rest = rest.split('+').next().unwrap_or_default();
        let (patch, pre) = rest
            .split_once('-')
            .map_or((rest, None), |(p, pre)| (p, Some(pre)));
        let numbers = [
            number("Major", major)?,
            number("Minor", minor)?,
            number("Patch", patch)?,
        ];
        let pre = pre.map(|pre| pre.split('.').map(str::to_owned).collect());
        Ok(Self {
            numbers,
            pre: pre.unwrap_or_default(),
        })
    }
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        let name = name.to_lowercase();
        return Err(format!(
            "Invalid character(s) found in {name} number \"{text}\""
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!(
            "{name} number must not contain leading zeroes \"{text}\""
        ));
    }
    text.parse()
        .map_err(|_| format!("{name} number is too large \"{text}\""))
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (&self.pre[..], &other.pre[..]) {
                ([], []) => Ordering::Equal,
                // A version comes after its own pre-releases.
                ([], _) => Ordering::Greater,
                (_, []) => Ordering::Less,
                (mine, theirs) => compare_pre(mine, theirs),
            })
    }
}

fn compare_pre(mine: &[String], theirs: &[String]) -> Ordering {
    for (a, b) in mine.iter().zip(theirs) {
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        };
        if order.is_ne() {
            return order;
        }
    }
    mine.len().cmp(&theirs.len())
}

/// Alternatives (`||`) of comparisons that all must hold.
#[derive(Debug)]
pub(super) struct Range(Vec<Vec<(Comparison, Version)>>);

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

/// The longer operators first, so that `>=` is not taken for `>`.
const OPERATORS: [(&str, Comparison); 8] = [
    (">=", Comparison::Ge),
    ("<=", Comparison::Le),
    ("==", Comparison::Eq),
    ("!=", Comparison::Ne),
    (">", Comparison::Gt),
    ("<", Comparison::Lt),
    ("=", Comparison::Eq),
    ("!", Comparison::Ne),
];

impl Range {
    /// # Errors
    /// What is wrong, in the words that clients of the reference see.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        text.split("||")
            .map(|all| {
                // A blank may stand between an operator and its version.
                let mut joined = String::new();
                for word in all.split_whitespace() {
                    let after_operator = OPERATORS.iter().any(|(sign, _)| joined.ends_with(sign));
                    if !joined.is_empty() && !after_operator {
                        joined.push(' ');
                    }
                    joined += word;
                }
                joined.split_whitespace().map(comparison).collect()
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a version is in the range.
    pub(super) fn contains(&self, version: &Version) -> bool {
        let holds = |(comparison, bound): &(Comparison, Version)| match comparison {
            Comparison::Lt => version < bound,
            Comparison::Le => version <= bound,
            Comparison::Gt => version > bound,
            Comparison::Ge => version >= bound,
            Comparison::Eq => version == bound,
            Comparison::Ne => version != bound,
        };
        self.0.iter().any(|all| all.iter().all(holds))
    }
}

fn comparison(text: &str) -> Result<(Comparison, Version), String> {
    let found = OPERATORS.iter().find_map(|(sign, comparison)| {
        text.strip_prefix(sign)
            .map(|version| (*comparison, version))
    });
    let (comparison, version) = found.unwrap_or((Comparison::Eq, text));
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("Could not get version from string: \"{text}\""));
    }
    Version::parse(version)
        .map(|version| (comparison, version))
        .map_err(|cause| format!("Could not parse comparator \"{text}\" in range: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_or_not() {
        for (range, version, expected) in [
            (">=1.0.0 <2.0.0", "1.32.0", true),
            (">=1.0.0 <2.0.0", "2.0.0", false),
            (">= 1.0.0 < 2.0.0", "1.5.0", true),
            ("<1.0.0 || >2.0.0", "2.0.1", true),
            ("<1.0.0 || >2.0.0", "1.5.0", false),
            ("1.32.0", "1.32.0", true),
            ("!=1.32.0", "1.32.0", false),
            ("<2.0.0", "2.0.0-rc.1", true),
            (">2.0.0-rc.2", "2.0.0-rc.10", true),
        ] {
            let version = Version::parse(version).unwrap();
            assert_eq!(
                Range::parse(range).unwrap().contains(&version),
                expected,
                "{range}"
            );
        }
    }
}
