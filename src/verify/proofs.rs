//! Signed heads, and answers of `/v1/audit/proof`.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::Deserialize;
use serde_json::Value;
use tlog_tiles::{check_record, check_tree};

use super::{Known, name, report::Report};
use crate::{
    domain::proof::{Checkpoint, Hash, read_checkpoint},
    json,
};

/// The heads of the log that were given, by size.
#[derive(Default)]
pub(super) struct Heads {
    by_size: BTreeMap<u64, Head>,
    /// Pairs of sizes that were shown to be of one history.
    linked: Vec<(u64, u64)>,
}

/// A head of the log.
#[derive(Clone)]
pub(super) struct Head {
    /// The file that gave it.
    pub file: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inclusion {
    leaf_index: u64,
    tree_size: u64,
    root: Hash,
    leaf_hash: Hash,
    #[serde(rename = "inclusion_proof")]
    proof: Vec<Hash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consistency {
    from: u64,
    to: u64,
    from_root: Hash,
    to_root: Hash,
    #[serde(rename = "consistency_proof")]
    proof: Vec<Hash>,
}

impl Heads {
    /// The head of this size.
    pub fn of_size(&self, size: u64) -> Option<&Head> {
        self.by_size.get(&size)
    }

    /// All of them, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = &Head> {
        self.by_size.values()
    }

    /// The head of this size, whose root must be this.
    fn must_be(&self, size: u64, root: Hash) -> Result<(), String> {
        match self.of_size(size) {
            None => Err(format!("no checkpoint of {size} events was given, so nothing shows that its root is genuine")),
            Some(head) if head.checkpoint.root == root => Ok(()),
            Some(head) => Err(format!("the root over {size} events is another than in {}", head.file)),
        }
    }

    /// That these sizes are of one history.
    pub fn link(&mut self, from: u64, to: u64) {
        self.linked.push((from, to));
    }

    fn add(&mut self, head: Head) -> Result<(), String> {
        let (size, root) = (head.checkpoint.size, head.checkpoint.root);
        let there = self.by_size.entry(size).or_insert(head);
        if there.checkpoint.root == root {
            return Ok(());
        }
        Err(format!("two histories: its root over {size} events is another than in {}", there.file))
    }

    /// Says which heads nothing connects with the largest.
    pub fn conclude(&self, report: &mut Report) {
        let mut connected: Vec<_> = self.by_size.keys().next_back().copied().into_iter().collect();
        let mut next = 0;
        while let Some(size) = connected.get(next).copied() {
            let others = self.linked.iter().filter_map(|(from, to)| match size {
                size if size == *from => Some(*to),
                size if size == *to => Some(*from),
                _ => None,
            });
            let new: Vec<_> = others.filter(|other| !connected.contains(other)).collect();
            connected.extend(new);
            next += 1;
        }
        for head in self.iter().filter(|head| !connected.contains(&head.checkpoint.size)) {
            let text = "whether the newest checkpoint continues this one: give the log, or a consistency proof";
            report.not_checked(&head.file, text.into());
        }
    }
}

impl Known<'_> {
    /// Takes a signed head in. Its signature is checked where there are keys.
    pub fn add_head(&mut self, file: &str, note: &str) -> Option<Checkpoint> {
        let read = if self.keys.is_empty() { Checkpoint::unproved(note) } else { read_checkpoint(note, self.keys) };
        let checkpoint = match read {
            Ok(checkpoint) => checkpoint,
            Err(fault) => {
                self.report.failed(file, None, format!("its checkpoint: {fault}"));
                return None;
            }
        };
        if !self.keys.is_empty() {
            let (origin, size) = (&checkpoint.origin, checkpoint.size);
            self.report.verified(file, format!("its checkpoint of {size} events is signed by {origin}"));
        }
        if let Err(fault) = self.heads.add(Head { file: file.into(), checkpoint: checkpoint.clone() }) {
            self.report.failed(file, None, fault);
        }
        Some(checkpoint)
    }
}

/// Takes a file in that holds a signed head.
pub(super) fn take_checkpoint(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let bytes = fs::read(path)?;
    known.add_head(&name(path), &String::from_utf8_lossy(&bytes));
    Ok(())
}

/// Checks answers of `/v1/audit/proof`: one document, or one a line.
pub(super) fn check(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let (file, bytes) = (name(path), fs::read(path)?);
    let answers = match json::parse(&bytes) {
        Ok(answer) => Ok(vec![answer]),
        Err(_) => bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json::parse).collect(),
    };
    let answers = match answers {
        Ok(answers) => answers,
        Err(fault) => {
            known.report.failed(&file, None, fault.to_string());
            return Ok(());
        }
    };
    for answer in answers {
        match check_answer(known, &file, answer) {
            Ok(verified) => known.report.verified(&file, verified),
            Err(fault) => known.report.failed(&file, None, fault),
        }
    }
    Ok(())
}

fn check_answer(known: &mut Known<'_>, file: &str, answer: Value) -> Result<String, String> {
    let unread = |fault: serde_json::Error| format!("cannot be read: {fault}");
    if answer.get("consistency_proof").is_some() {
        let answer: Consistency = serde_json::from_value(answer).map_err(unread)?;
        return check_consistency(known, answer);
    }
    let answer: Inclusion = serde_json::from_value(answer).map_err(unread)?;
    let Inclusion { leaf_index, tree_size, root, leaf_hash, proof } = answer;
    known.heads.must_be(tree_size, root)?;
    check_record(&proof, tree_size, root, leaf_index, leaf_hash)
        .map_err(|fault| format!("leaf {leaf_index} is not shown to be in the tree of {tree_size} events: {fault}"))?;
    known.wanted.leaf(leaf_index, leaf_hash, file)?;
    Ok(format!("leaf {leaf_index} is in the tree of {tree_size} events"))
}

fn check_consistency(known: &mut Known<'_>, answer: Consistency) -> Result<String, String> {
    let Consistency { from, to, from_root, to_root, proof } = answer;
    known.heads.must_be(from, from_root)?;
    known.heads.must_be(to, to_root)?;
    check_tree(&proof, to, to_root, from, from_root)
        .map_err(|fault| format!("the log of {to} events is not shown to continue that of {from}: {fault}"))?;
    known.heads.link(from, to);
    Ok(format!("the log of {to} events continues that of {from}: nothing of it was changed or cut"))
}
