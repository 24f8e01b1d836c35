//! Killing a process with its children, none of which gets to do anything more.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Kills the process and its children, and waits until the children are gone: while one of them lives, its data are in use.
pub(super) fn kill_with_children(parent: Pid) {
    // Who is killed last would see the others die and begin to tidy up.
    let _ = kill_process(parent, Signal::STOP);
    let children = children_of(parent);
    for pid in children.iter().chain([&parent]) {
        let _ = kill_process(*pid, Signal::KILL);
    }
    while children.iter().any(|pid| lives(*pid)) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|pid| status(*pid).is_some_and(|(_, of)| of == parent.as_raw_nonzero().get())).collect()
}

/// A process that ended and was not waited for lives no more.
fn lives(pid: Pid) -> bool {
    test_kill_process(pid).is_ok() && status(pid).is_none_or(|(state, _)| state != 'Z')
}

/// State and parent: what follows the name, which stands in parentheses and may hold anything.
fn status(pid: Pid) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}
