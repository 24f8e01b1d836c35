//! Who holds any of many targets: one list for all targets that share it, one page at a time.
//!
//! A list is read to its end or says nothing. What keeps one list from being read, such as a group that was deleted, does
//! not keep the others; an outage or a limit ends the whole reading, since it would only make that worse.

use super::{AssignmentTarget, GraphError, Retry, TenantGraph, client::MAX_PAGES_OF_EVERYBODY, target};
use crate::{
    domain::{
        assignment::Holding,
        sweep::{Held, Shown},
        target::Target,
    },
    json,
    outbound::Call,
};

/// What a reading of everybody gave.
#[derive(Debug, Default)]
pub struct Everybody {
    /// Who holds what, of the lists that could be read.
    pub shown: Shown,
    /// Why the rest could not be read; `None` when nothing is missing.
    pub trouble: Option<GraphError>,
}

/// Targets that share one list.
struct Shared {
    list: Call,
    targets: Vec<(Target, Box<dyn AssignmentTarget>)>,
}

impl TenantGraph {
    /// Every direct assignment of these targets that is in force, whoever made it.
    pub async fn everybody(&self, targets: &[Target]) -> Everybody {
        let (lists, unknown) = shared(targets);
        let mut everybody = Everybody { shown: Shown::default(), trouble: unknown };
        for shared in lists {
            match self.holders(&shared).await {
                Ok(held) => {
                    everybody.shown.held.extend(held);
                    everybody.shown.read.extend(shared.targets.into_iter().map(|(target, _)| target));
                }
                Err(error) => {
                    let goes_on = error.retry() == Retry::Never || matches!(error, GraphError::NotFound { .. });
                    everybody.trouble = Some(error);
                    if !goes_on {
                        return everybody;
                    }
                }
            }
        }
        everybody
    }

    async fn holders(&self, shared: &Shared) -> Result<Vec<Held>, GraphError> {
        let mut held = Vec::new();
        let list = shared.list.clone();
        let show = |row: &_| {
            for (target, reader) in &shared.targets {
                let Some(principal) = reader.holder(row)? else { continue };
                let Some(instance) = reader.read_instance(principal, row)? else { continue };
                if instance.direct {
                    held.push(Held { holding: Holding { principal, target: target.clone() }, instance });
                }
            }
            Ok::<_, json::Fault>(())
        };
        self.client.each_row(list, MAX_PAGES_OF_EVERYBODY, show).await?;
        Ok(held)
    }
}

/// The lists to ask for, each once; and why there is none for some target.
fn shared(targets: &[Target]) -> (Vec<Shared>, Option<GraphError>) {
    let mut lists: Vec<Shared> = Vec::new();
    let mut unknown = None;
    for wanted in targets {
        let reader = match target(wanted) {
            Ok(reader) => reader,
            Err(error) => {
                unknown = Some(error);
                continue;
            }
        };
        let list = reader.list_all_instances();
        let one = (wanted.clone(), reader);
        match lists.iter_mut().find(|shared| shared.list == list) {
            Some(shared) if shared.targets.iter().any(|(target, _)| target == wanted) => {}
            Some(shared) => shared.targets.push(one),
            None => lists.push(Shared { list, targets: vec![one] }),
        }
    }
    (lists, unknown)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::target::AssignmentKind;

    fn wanted(kind: &str, assignment: AssignmentKind, keys: [(&str, &str); 2]) -> Target {
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Target { kind: kind.into(), assignment, keys: keys.into() }
    }

    fn id(number: u128) -> String {
        Uuid::from_u128(number).to_string()
    }

    #[test]
    fn one_list_serves_all_roles_and_each_group_has_its_own() {
        let role = |number| wanted("directory-role", AssignmentKind::Active, [("role", &id(number)), ("scope", "/")]);
        let eligible = wanted("directory-role", AssignmentKind::Eligible, [("role", &id(1)), ("scope", "/")]);
        let place =
            |number, access| wanted("group", AssignmentKind::Active, [("group", &id(number)), ("access", access)]);
        let targets = [role(1), role(2), role(1), eligible, place(8, "member"), place(8, "owner"), place(9, "member")];
        let (lists, unknown) = shared(&targets);
        let sizes: Vec<_> = lists.iter().map(|shared| shared.targets.len()).collect();
        assert_eq!((sizes, unknown), (vec![2, 1, 2, 1], None));
    }

    #[test]
    fn a_target_that_nothing_can_assign_is_told_and_keeps_no_other_from_being_read() {
        let strange = wanted("spaceship", AssignmentKind::Active, [("role", "r"), ("scope", "/")]);
        let role = wanted("directory-role", AssignmentKind::Active, [("role", &id(1)), ("scope", "/")]);
        let (lists, unknown) = shared(&[strange, role]);
        assert_eq!((lists.len(), unknown.map(|error| error.code())), (1, Some("target-unsupported")));
    }
}
