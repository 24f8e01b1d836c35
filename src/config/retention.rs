//! `[retention]`: what is dropped after how long. Records are never dropped.

use jiff::SignedDuration;

use super::{place::Place, raw};

/// How long things are kept; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Bodies and headers of webhooks, from when they were taken in.
    pub bodies: Option<SignedDuration>,
    /// Ticket snapshots, from when their request was over.
    pub snapshots: Option<SignedDuration>,
    /// The facts of audit events, from when they happened.
    pub details: Option<SignedDuration>,
}

const DAYS: &str = "a whole number of days from P1D to P36500D, such as P400D";

pub(super) fn retention(at: &Place, raw: raw::Retention) -> Option<Retention> {
    let bodies = days(&at.down("bodies"), raw.bodies);
    let snapshots = days(&at.down("snapshots"), raw.snapshots);
    let details = days(&at.down("details"), raw.details);
    let retention = Retention { bodies: bodies?, snapshots: snapshots?, details: details? };
    // What was sent goes before what was made of it, and that before what was done about it.
    let snapshots = keeps_longer(retention.bodies, retention.snapshots);
    at.down("snapshots").hold(snapshots, (), "at least as long as `bodies`")?;
    let details = keeps_longer(retention.snapshots, retention.details);
    at.down("details").hold(details, (), "at least as long as `snapshots`")?;
    Some(retention)
}

/// Whether what goes later, if it goes at all, goes no sooner than what goes first; that is not kept while this goes.
fn keeps_longer(first: Option<SignedDuration>, later: Option<SignedDuration>) -> bool {
    later.is_none_or(|later| first.is_some_and(|first| first <= later))
}

#[expect(clippy::option_option, reason = "a fault is none at all; no time given is a good value")]
fn days(at: &Place, text: Option<String>) -> Option<Option<SignedDuration>> {
    let Some(text) = text else { return Some(None) };
    let number = text.strip_prefix('P').and_then(|rest| rest.strip_suffix('D'));
    let number = number.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
    let days = number.and_then(|digits| digits.parse::<i64>().ok()).filter(|days| *days <= 36_500);
    let kept = days.map(|days| SignedDuration::from_hours(days * 24));
    at.hold(kept.is_some(), kept, DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    #[test]
    fn everything_is_kept_for_ever_unless_said_otherwise() {
        assert_eq!(Sample::new().good().retention, Retention::default());
        let set = Sample::new().set("retention.bodies", "'P90D'").set("retention.snapshots", "'P400D'").good();
        let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
        assert_eq!(set.retention, Retention { bodies: days(90), snapshots: days(400), details: None });
    }

    #[test]
    fn a_time_to_keep_is_a_whole_number_of_days() {
        for text in ["P0D", "P-1D", "PT5M", "P1M", "400", "P01D", "PD", "P36501D", "P1DT1H"] {
            let fault = Sample::new().set("retention.bodies", &format!("'{text}'")).fault();
            assert!(fault.starts_with("retention.bodies: is not a whole number of days"), "{fault}");
        }
    }

    #[test]
    fn bodies_go_before_snapshots_and_those_before_facts() {
        let fault = Sample::new().set("retention.bodies", "'P90D'").set("retention.snapshots", "'P30D'").fault();
        assert!(fault.starts_with("retention.snapshots: "), "{fault}");
        let all = Sample::new().set("retention.bodies", "'P9D'").set("retention.snapshots", "'P9D'");
        let fault = all.set("retention.details", "'P8D'").fault();
        assert!(fault.starts_with("retention.details: "), "{fault}");
        let fault = Sample::new().set("retention.details", "'P8D'").fault();
        assert!(fault.starts_with("retention.details: "), "what goes first is not kept for ever: {fault}");
    }
}
