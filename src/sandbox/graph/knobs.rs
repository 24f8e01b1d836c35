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
    /// Refusals come wrapped in `UnknownError`.
    pub wrap_errors: bool,
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
            wrap_errors: false,
        }
    }
}
