use std::fs;

use super::*;
use crate::domain::proof::{Hash, SigningKey, checkpoint};

fn note(size: u64, root: u8) -> String {
    let key = SigningKey::parse(&SigningKey::text_of("stint.contoso.com", &[7; 32]).unwrap()).unwrap();
    checkpoint(&key, size, Hash([root; 32])).unwrap()
}

#[test]
fn the_newest_head_stands_in_the_file_and_every_one_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    assert_eq!(newest(&path), Ok(None));
    for (size, root) in [(3, 1), (5, 2)] {
        file::publish(&path, &note(size, root)).unwrap();
        file::publish(&path, &note(size, root)).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), note(5, 2));
    assert_eq!(fs::read_to_string(history(&path)).unwrap(), format!("{}\n{}\n", note(3, 1), note(5, 2)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing half-written is left");
}

#[test]
fn a_file_that_is_gone_is_written_again_from_where_the_one_beside_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    for (size, root) in [(3, 1), (5, 2)] {
        file::publish(&path, &note(size, root)).unwrap();
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(newest(&path).unwrap().unwrap().size, 5);
    assert!(file::publish(&path, &note(5, 3)).is_err());
    file::publish(&path, &note(5, 2)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), note(5, 2));
    assert_eq!(fs::read_to_string(history(&path)).unwrap(), format!("{}\n{}\n", note(3, 1), note(5, 2)));
}

#[test]
fn what_stands_there_is_not_replaced_by_what_cannot_follow_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    file::publish(&path, &note(5, 2)).unwrap();
    for (size, root) in [(4, 1), (5, 3)] {
        assert!(file::publish(&path, &note(size, root)).unwrap_err().to_string().contains("5 events"));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), note(5, 2));
    fs::write(&path, "something else").unwrap();
    assert!(file::publish(&path, &note(6, 3)).unwrap_err().to_string().contains("holds no checkpoint"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/checkpoint");
    assert!(file::publish(&path, &note(5, 2)).unwrap_err().to_string().contains("nowhere/checkpoint"));
}
