//! PIM's policies: which rules bind whoever assigns a target (`contracts/graph.md` §4).
//!
//! Pure. A policy is found anew each time by what it is about: bringing a group under PIM changes the ids of its policies.
//! Of the seventeen rules two bind an assignment; without both of them, readable, nothing is known.

use http::Method;
use serde_json::Value;

use super::{
    AssignmentTarget,
    error::{GraphError, shortened},
};
use crate::{
    domain::{
        duration::Duration,
        pim_policy::{Demand, PimPolicy, enablement_rule, expiration_rule},
        target::AssignmentKind,
    },
    json,
    outbound::{Body, Call},
};

/// Types of rules that demand nothing, or whose demands are read.
const KNOWN_RULES: [&str; 3] = ["ExpirationRule", "EnablementRule", "NotificationRule"];

/// What a question for a group's policy says of it, and no other.
pub(super) const OF_GROUPS: &str = "scopeType eq 'Group'";

/// Where a target's policy is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPlace {
    /// `scopeId`: `/` for roles, whatever scope they are given at; else the group's id.
    pub scope: String,
    /// `scopeType`.
    pub scope_type: &'static str,
    /// `roleDefinitionId`: the role's id; for groups `member` or `owner`.
    pub role: String,
}

impl PolicyPlace {
    /// Reads the policy with its rules, in one call.
    pub(super) fn read(&self) -> Call {
        let Self { scope, scope_type, role } = self;
        let filter = format!("scopeId eq '{scope}' and scopeType eq '{scope_type}' and roleDefinitionId eq '{role}'");
        let query = [("$filter", filter), ("$expand", "policy($expand=rules)".to_owned())];
        Call {
            method: Method::GET,
            path: "/policies/roleManagementPolicyAssignments".into(),
            query: query.map(|(name, value)| (name.to_owned(), value)).into(),
            headers: vec![],
            body: Body::Empty,
        }
    }

    /// Whether a row is about it; a filter that was ignored changes nothing.
    fn is_of(&self, row: &Value) -> Result<bool, json::Fault> {
        Ok(json::text(row, "/scopeId")?.eq_ignore_ascii_case(&self.scope)
            && json::text(row, "/scopeType")?.eq_ignore_ascii_case(self.scope_type)
            && json::text(row, "/roleDefinitionId")?.eq_ignore_ascii_case(&self.role))
    }
}

/// The policy among the rows that were answered for a target; `None` when PIM has none for it.
pub(super) fn find(
    rows: &[Value],
    target: &dyn AssignmentTarget,
    kind: AssignmentKind,
) -> Result<Option<PimPolicy>, GraphError> {
    let place = target.policy();
    let mut found = Vec::new();
    for row in rows {
        if place.is_of(row)? {
            found.push(row);
        }
    }
    match found[..] {
        [] => Ok(None),
        [row] => Ok(Some(read(row, kind)?)),
        _ => Err(GraphError::bad("several policies for one target")),
    }
}

/// The rules in a row that bind an administrator at this level.
fn read(row: &Value, kind: AssignmentKind) -> Result<PimPolicy, json::Fault> {
    let rules = json::array(row, "/policy/rules")?;
    let expiration = rule(rules, expiration_rule(kind), "ExpirationRule")?;
    let enablement = rule(rules, enablement_rule(kind), "EnablementRule")?;
    let mut demands = Vec::new();
    for word in json::array(enablement, "/enabledRules")? {
        demands.push(demand(word.as_str().ok_or_else(|| json::not("/enabledRules", "an array of texts"))?));
    }
    demands.extend(unknown_rules(rules, kind));
    Ok(PimPolicy {
        maximum: maximum(expiration)?,
        expiration_required: expiration.pointer("/isExpirationRequired") != Some(&Value::Bool(false)),
        demands,
    })
}

fn demand(word: &str) -> Demand {
    match word.to_ascii_lowercase().as_str() {
        "multifactorauthentication" => Demand::Mfa,
        "justification" => Demand::Justification,
        "ticketing" => Demand::Ticketing,
        _ => unknown(word),
    }
}

fn unknown(word: &str) -> Demand {
    Demand::Unknown(shortened(word))
}

fn rule<'a>(rules: &'a [Value], id: &'static str, kind: &str) -> Result<&'a Value, json::Fault> {
    let named = |rule: &&Value| json::text(rule, "/id").is_ok_and(|name| name.eq_ignore_ascii_case(id));
    let found = rules.iter().find(named).filter(|rule| kind_of(rule).ends_with(kind));
    found.ok_or_else(|| json::not("/policy/rules", id))
}

fn kind_of(rule: &Value) -> &str {
    json::text(rule, "/@odata.type").unwrap_or_default()
}

/// Rules for administrators at this level of a type that says nothing to stint.
fn unknown_rules(rules: &[Value], kind: AssignmentKind) -> impl Iterator<Item = Demand> {
    let level = match kind {
        AssignmentKind::Active => "Assignment",
        AssignmentKind::Eligible => "Eligibility",
    };
    let binding = move |rule: &&Value| is(rule, "/target/caller", "Admin") && is(rule, "/target/level", level);
    let known = |rule: &Value| KNOWN_RULES.iter().any(|known| kind_of(rule).ends_with(known));
    let strange = rules.iter().filter(binding).filter(move |rule| !known(rule));
    strange.map(|rule| unknown(json::text(rule, "/id").unwrap_or("a rule without id")))
}

fn is(rule: &Value, path: &str, word: &str) -> bool {
    json::text(rule, path).is_ok_and(|found| found.eq_ignore_ascii_case(word))
}

fn maximum(rule: &Value) -> Result<Option<Duration>, json::Fault> {
    let Some(text) = json::optional_text(rule, "/maximumDuration")? else { return Ok(None) };
    let length = length(text).ok_or_else(|| json::not("/maximumDuration", "a duration"))?;
    Ok(Some(length))
}

/// A duration as Graph writes it (`contracts/graph.md` §1): days, hours, minutes, seconds. Parts of a second are cut, and
/// what is longer than can be told apart counts as that long.
fn length(text: &str) -> Option<Duration> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let (days, rest) = part(date, 'D')?;
    let (hours, time) = part(time, 'H')?;
    let (minutes, time) = part(time, 'M')?;
    let (seconds, time) = part(time, 'S')?;
    if !rest.is_empty() || !time.is_empty() || text == "P" {
        return None;
    }
    let total = [(days, 86_400), (hours, 3_600), (minutes, 60), (seconds, 1)]
        .into_iter()
        .fold(0_u64, |sum, (count, unit)| sum.saturating_add(count.saturating_mul(unit)));
    Some(Duration::seconds(u32::try_from(total).unwrap_or(u32::MAX)))
}

/// The count before this unit, zero when the unit is not there, and the text behind it.
fn part(text: &str, unit: char) -> Option<(u64, &str)> {
    let Some((number, rest)) = text.split_once(unit) else { return Some((0, text)) };
    let whole = if unit == 'S' { number.split_once('.').map_or(number, |(whole, _)| whole) } else { number };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fraction = number.strip_prefix(whole)?.strip_prefix('.');
    (digits(whole) && fraction.is_none_or(digits)).then(|| whole.parse().ok()).flatten().map(|count| (count, rest))
}
