//! Which of a ticket system's fields say what is asked for.

use std::collections::BTreeSet;

use crate::{
    config::{place::Place, raw},
    tickets::settings::FieldNames,
};

/// The names. A kind of system with a document of its own has nothing to map but the tenant.
pub(super) fn fields(at: &Place, raw: raw::Fields, several_tenants: bool, mapped: bool) -> Option<FieldNames> {
    let mut names = Names { at, seen: BTreeSet::new(), good: true };
    let mut asked = |name: &str, given: Option<String>| {
        if mapped { names.required(name, given) } else { Some(names.fixed(name, given.as_ref())) }
    };
    let entitlement = asked("entitlement", raw.entitlement);
    let principal = asked("principal", raw.principal);
    let duration = asked("duration", raw.duration);
    let tenant =
        if several_tenants { names.required("tenant", raw.tenant) } else { names.optional("tenant", raw.tenant) };
    let mut window = |name: &str, given: Option<String>| {
        if mapped { names.optional(name, given) } else { given.map(|given| names.fixed(name, Some(&given))) }
    };
    let window_start = window("window_start", raw.window_start);
    let window_end = window("window_end", raw.window_end);
    names.good.then_some(())?;
    Some(FieldNames {
        entitlement: entitlement?,
        principal: principal?,
        duration: duration?,
        tenant,
        window_start,
        window_end,
    })
}

/// The names seen so far.
struct Names<'a> {
    at: &'a Place<'a>,
    seen: BTreeSet<String>,
    good: bool,
}

impl Names<'_> {
    fn required(&mut self, name: &str, given: Option<String>) -> Option<String> {
        let given = self.at.down(name).required(given, "the ticket system's name of that field");
        let checked = given.and_then(|given| self.check(name, given));
        self.good &= checked.is_some();
        checked
    }

    fn optional(&mut self, name: &str, given: Option<String>) -> Option<String> {
        let given = given?;
        self.required(name, Some(given))
    }

    /// The document's own name of the field; mapping it is a slip.
    fn fixed(&mut self, name: &str, given: Option<&String>) -> String {
        self.at.unused(name, given, "has no meaning: this system's tickets name it themselves");
        self.good &= given.is_none();
        name.to_owned()
    }

    fn check(&mut self, name: &str, given: String) -> Option<String> {
        let here = self.at.down(name);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = !given.is_empty() && given.bytes().all(plain);
        let given = here.hold(good, given, "a field's name of letters, digits and underscores")?;
        here.hold(self.seen.insert(given.clone()), given, "a field of its own: another key names it already")
    }
}
