//! Durations as people, the catalog and the API write them: one strict grammar, `PT…`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A positive length of time, in whole seconds, written in ISO 8601 as `PT4H`, `PT1H30M` or `PT45S`.
///
/// The grammar is `PT`, then at least one of `<n>H`, `<n>M`, `<n>S` in that order: upper case, whole numbers without
/// sign or leading zero, at most 999,999 each and less than a million hours together, so that it is read as it is written. Days are refused because a day is not always 24 hours long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Duration {
    seconds: u32,
}

/// Why a text is not a [`Duration`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: write PT, then hours, minutes, seconds as in PT4H, PT1H30M or PT45S")]
pub struct NotADuration {
    text: String,
}

/// The shortest and the longest duration that may be granted.
///
/// Five minutes is PIM's own minimum (`contracts/graph.md` §2.5); a day is stint's maximum.
pub const GRANTABLE: std::ops::RangeInclusive<Duration> = Duration::minutes(5)..=Duration::hours(24);

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self { seconds }
    }

    /// So many minutes.
    #[must_use]
    pub const fn minutes(minutes: u32) -> Self {
        Self::seconds(minutes * 60)
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self::minutes(hours * 60)
    }

    /// The length in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u32 {
        self.seconds
    }

    /// The length as jiff adds it to a timestamp.
    #[must_use]
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(i64::from(self.seconds))
    }

    /// The length as the standard library waits for it.
    #[must_use]
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_secs(u64::from(self.seconds))
    }

    /// The whole seconds from one moment to a later one; `None` when none are left.
    #[must_use]
    pub fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> Option<Self> {
        let seconds = u32::try_from(to.duration_since(from).as_secs()).ok()?;
        (seconds > 0).then_some(Self { seconds })
    }
}

impl FromStr for Duration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        parse(text).ok_or_else(|| NotADuration { text: text.chars().take(40).collect() })
    }
}

/// Reads the whole text or nothing.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix("PT")?;
    let mut total: u32 = 0;
    for (unit, seconds) in [('H', 3600), ('M', 60), ('S', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            total = total.checked_add(whole_number(number)?.checked_mul(seconds)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && total > 0 && total / 3600 < 1_000_000).then_some(Duration { seconds: total })
}

fn whole_number(digits: &str) -> Option<u32> {
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (plain && !digits.starts_with('0')).then(|| digits.parse().ok())?
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PT")?;
        let parts = [(self.seconds / 3600, 'H'), (self.seconds / 60 % 60, 'M'), (self.seconds % 60, 'S')];
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
        }
        if self.seconds == 0 {
            f.write_str("0S")?;
        }
        Ok(())
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl TryFrom<String> for Duration {
    type Error = NotADuration;

    fn try_from(text: String) -> Result<Self, NotADuration> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hours_minutes_and_seconds_are_read_in_that_order() {
        let read = |text: &str| text.parse::<Duration>().map(Duration::as_secs);
        assert_eq!(read("PT4H"), Ok(14_400));
        assert_eq!(read("PT1H30M"), Ok(5_400));
        assert_eq!(read("PT90M"), Ok(5_400));
        assert_eq!(read("PT45S"), Ok(45));
        assert_eq!(read("PT1H1S"), Ok(3_601));
    }

    #[test]
    fn anything_else_is_refused_and_told_what_is_accepted() {
        for text in [
            "",
            "P",
            "PT",
            "PT0H",
            "PT04H",
            "P1D",
            "P1DT1H",
            "pt4h",
            "PT4h",
            "4H",
            "PT4H ",
            " PT4H",
            "PT-4H",
            "PT+4H",
            "PT4.5H",
            "PT30M1H",
            "PT4HM",
            "PT4H4H",
            "PT9999999S",
            "PT999999H71527S",
            "8 hours",
            "PT４H",
            "PT1H\0",
        ] {
            let error = text.parse::<Duration>().expect_err(text).to_string();
            assert!(error.contains("PT4H"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(seconds in 1u32..=900_000) {
            let duration = Duration::seconds(seconds);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn what_is_accepted_is_printed_as_it_is_read(text in "PT([1-9][0-9]{0,5}H)?([1-9][0-9]{0,5}M)?([1-9][0-9]{0,5}S)?") {
            if let Ok(duration) = text.parse::<Duration>() {
                prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let _ = text.parse::<Duration>();
        }
    }
}
