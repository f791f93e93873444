use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Replacement, Rewritten, write};
use crate::cli::SettingsArgs;
use crate::cli::open::{Opened, open};
use crate::fix::{Fixed, Level, fix};

const OLD: &str = "type: Mesh\nname: default\nstatus: {}\n";
const MENDED: &str = "type: Mesh\nname: default\n";
const OTHER: &str = "type: Mesh\nname: other\nstatus: {}\n";

/// Two files with something to mend in each, and what mends them.
fn mended() -> (TempDir, Opened, Fixed) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("a.yaml"), OLD).expect("a file");
    fs::write(directory.path().join("b.yaml"), OTHER).expect("a file");
    let opened =
        open(&[directory.path().to_path_buf()], &SettingsArgs::default()).expect("a world");
    let fixed = fix(opened.world(), &opened.settings, Level::Safe);
    assert_eq!(fixed.files.len(), 2);
    (directory, opened, fixed)
}

fn files(fixed: &Fixed) -> Rewritten<'_> {
    Rewritten {
        before: &fixed.before,
        after: &fixed.files,
    }
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).expect("a file")
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).expect("a directory").count()
}

#[test]
fn a_file_that_changes_while_it_is_fixed_is_refused() {
    let (directory, opened, fixed) = mended();
    let newer = format!("{OTHER}# somebody was faster\n");
    fs::write(directory.path().join("b.yaml"), &newer).expect("a file");
    let error = write(&opened, files(&fixed)).expect_err("it is refused");
    let error = format!("{error:#}");
    assert!(error.contains("b.yaml: it has changed since"), "{error}");
    assert_eq!(read(directory.path(), "b.yaml"), newer);
    assert_eq!(read(directory.path(), "a.yaml"), OLD, "all or none");
    assert_eq!(count(directory.path()), 2, "nothing is left beside them");
}

#[test]
fn a_file_that_goes_away_while_it_is_fixed_is_not_made_again() {
    let (directory, opened, fixed) = mended();
    fs::remove_file(directory.path().join("b.yaml")).expect("a file");
    write(&opened, files(&fixed)).expect_err("it is refused");
    assert_eq!(read(directory.path(), "a.yaml"), OLD);
    assert_eq!(count(directory.path()), 1);
}

#[test]
fn a_change_is_seen_until_the_file_is_replaced() {
    let (directory, _, _) = mended();
    let path = directory.path().join("a.yaml");
    let replacement = Replacement::prepare(&path, OLD, MENDED).expect("nothing has changed");
    replacement.is_as_read().expect("nothing has changed");
    // Of the same length, so that no size tells.
    fs::write(&path, OLD.replace("default", "another")).expect("a file");
    replacement.is_as_read().expect_err("it has changed");
    drop(replacement);
    assert_eq!(count(directory.path()), 2);
}

#[test]
fn a_byte_order_mark_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.yaml");
    fs::write(&path, format!("\u{feff}{OLD}")).expect("a file");
    let opened = open(std::slice::from_ref(&path), &SettingsArgs::default()).expect("a world");
    let fixed = fix(opened.world(), &opened.settings, Level::Safe);
    write(&opened, files(&fixed)).expect("it is written");
    assert_eq!(
        read(directory.path(), "a.yaml"),
        format!("\u{feff}{MENDED}")
    );
}
