//! Makes a failing plan smaller for as long as it fails in the same way.

use crate::{plan::Plan, play::play};

/// The smallest plan that was found, and how it fails. Leaving anything further out makes it hold.
pub fn shrink(plan: &Plan, invariant: &str) -> Plan {
    let fails = |plan: &Plan| play(plan, false).violations.iter().any(|violation| violation.invariant == invariant);
    let mut best = plan.clone();
    loop {
        let smaller = smaller(&best).into_iter().find(fails);
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// Every plan that leaves one thing out.
fn smaller(plan: &Plan) -> Vec<Plan> {
    let mut plans = vec![];
    for place in 0..plan.events.len() {
        let mut events = plan.events.clone();
        events.remove(place);
        plans.push(Plan { events, ..plan.clone() });
    }
    for place in 0..plan.faults.len() {
        let mut faults = plan.faults.clone();
        faults.remove(place);
        plans.push(Plan { faults, ..plan.clone() });
    }
    // Places of tickets are named by events, so only the last one can go.
    let last = plan.tickets.len() - 1;
    let named = plan.events.iter().any(|(_, happens)| happens.ticket() == Some(last));
    if last > 0 && !named {
        let mut tickets = plan.tickets.clone();
        tickets.pop();
        plans.push(Plan { tickets, ..plan.clone() });
    }
    let worked = plan.events.iter().filter_map(|(_, happens)| happens.worker()).max().unwrap_or(0);
    if plan.workers > worked + 1 && plan.workers > 1 {
        plans.push(Plan { workers: plan.workers - 1, ..plan.clone() });
    }
    plans
}
