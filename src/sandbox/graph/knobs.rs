//! Ways in which the service may differ from its documentation, all of them seen or feared in the wild.

/// How enum members are written in answers; callers must read both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Casing {
    /// `adminAssign`
    #[default]
    Camel,
    /// `AdminAssign`
    Pascal,
}

/// The bends of this world, for all tenants, from now on. The default is a well-behaved service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bend of its own, and all combine")]
pub struct Knobs {
    /// Rows on one page of a list.
    pub page_size: usize,
    /// Later reads show `createdDateTime` this much after what the POST answered.
    pub created_jitter_ms: i64,
    /// How enum members are echoed.
    pub casing: Casing,
    /// What every assigning request reports as its status, whatever the truth is. The truth itself does not change.
    pub status: Option<String>,
    /// A new assignment reports `Granted` for so long, and starts only then.
    pub granted_seconds: u64,
    /// A new assignment stays `Granted` for ever and never starts.
    pub granted_forever: bool,
    /// A new assignment reports `Provisioned` at once but starts only so much later.
    pub provision_delay_seconds: u64,
    /// Reads show a change only so long after it was made; a fresh request id is 404 until then.
    pub read_lag_seconds: u64,
    /// A new assignment ends so much later than was asked.
    pub later_end_seconds: u64,
    /// A new assignment has no end at all.
    pub no_end: bool,
    /// Principals younger than this are unknown to PIM.
    pub young_principal_seconds: u64,
    /// Groups younger than this are unknown to PIM.
    pub young_group_seconds: u64,
    /// Refusals come wrapped in `UnknownError`.
    pub wrap_errors: bool,
    /// What is reported in place of `Granted`, `PendingProvisioning` for example.
    pub pending_status: Option<String>,
    /// `adminUpdate` leaves the schedule its id; otherwise the schedule gets the new request's.
    pub update_keeps_schedule: bool,
    /// `adminUpdate` may bring the end nearer than five minutes from now.
    pub short_updates: bool,
    /// `adminUpdate` is refused in an assignment's first five minutes, as a removal is.
    pub early_updates_refused: bool,
    /// `adminAssign` is refused while the principal has the same thing by activation.
    pub activation_blocks_assign: bool,
    /// Policies carry one rule more, of a type nobody has heard of.
    pub unknown_rule: bool,
    /// Graph's own clock is ahead of everybody else's by so much; behind when negative.
    pub clock_skew_seconds: i64,
    /// Each tenant may make so many calls in ten seconds; further ones get 429 and count as well (§8).
    pub calls_per_ten_seconds: Option<usize>,
    /// Answers come so many real milliseconds after the call was carried out.
    pub latency_ms: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            page_size: 100,
            created_jitter_ms: 560,
            casing: Casing::Camel,
            status: None,
            granted_seconds: 0,
            granted_forever: false,
            provision_delay_seconds: 0,
            read_lag_seconds: 0,
            later_end_seconds: 0,
            no_end: false,
            young_principal_seconds: 0,
            young_group_seconds: 0,
            wrap_errors: false,
            pending_status: None,
            update_keeps_schedule: false,
            short_updates: false,
            early_updates_refused: false,
            activation_blocks_assign: false,
            unknown_rule: false,
            clock_skew_seconds: 0,
            calls_per_ten_seconds: None,
            latency_ms: 0,
        }
    }
}
