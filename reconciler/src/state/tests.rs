use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_written_is_read_and_nobody_else_may() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a/state");
    let state = StateDir::open(&root).unwrap();
    assert_eq!(state.read("ca/key").unwrap(), None);
    state.write("ca/key", b"one").unwrap();
    state.write("ca/key", b"two").unwrap();
    assert_eq!(state.read("ca/key").unwrap().unwrap().as_slice(), b"two");
    assert_eq!(state.list("ca").unwrap(), ["key"]);
    assert_eq!(state.list("nothing").unwrap(), [""; 0]);
    for (path, expected) in [
        ("", DIRECTORY_MODE),
        ("ca", DIRECTORY_MODE),
        ("ca/key", FILE_MODE),
        ("lock", FILE_MODE),
    ] {
        assert_eq!(mode(&root.join(path)), expected, "{path}");
    }
    state.remove("ca/key").unwrap();
    state.remove("ca/key").unwrap();
    assert_eq!(state.read("ca/key").unwrap(), None);
}

#[test]
fn a_directory_that_others_may_read_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    StateDir::open(directory.path()).unwrap();
    assert_eq!(mode(directory.path()), DIRECTORY_MODE);
}

#[test]
fn a_second_meshd_is_refused_and_a_command_beside_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let first = StateDir::open(directory.path()).unwrap();
    let refused = StateDir::open(directory.path()).unwrap_err();
    assert!(refused.to_string().contains("in use by another meshd"));
    let beside = StateDir::beside(directory.path()).unwrap();
    beside.write("tokens/a", b"1").unwrap();
    assert_eq!(first.list("tokens").unwrap(), ["a"]);
    drop(first);
    StateDir::open(directory.path()).unwrap();
}

#[test]
fn a_kill_between_write_and_rename_leaves_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    state.write("ca/key", b"good").unwrap();
    let abandoned = state.path("ca/.writing-0123");
    fs::write(&abandoned, b"ha").unwrap();
    let old = SystemTime::now() - 2 * ABANDONED;
    File::options()
        .write(true)
        .open(&abandoned)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let young = state.path("ca/.writing-4567");
    fs::write(&young, b"another process is at it").unwrap();
    drop(state);
    let state = StateDir::open(directory.path()).unwrap();
    assert_eq!(state.list("ca").unwrap(), ["key"]);
    assert_eq!(state.read("ca/key").unwrap().unwrap().as_slice(), b"good");
    assert!(!abandoned.exists());
    assert!(young.exists());
}

#[test]
fn a_write_that_fails_says_where_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    fs::create_dir_all(state.path("published/in the way")).unwrap();
    let failure = state.write("published", b"x").unwrap_err().to_string();
    assert!(failure.starts_with("writing `"), "{failure}");
    assert!(failure.contains("/published`"), "{failure}");
    fs::write(state.path("file"), b"").unwrap();
    state.write("file/below", b"x").unwrap_err();
    assert_eq!(state.list("").unwrap(), ["file", "lock", "published"]);
    let hidden = fs::read_dir(state.root()).unwrap().count();
    assert_eq!(hidden, 3);
}

#[test]
fn a_full_disk_is_told_with_what_to_do() {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let failure = StateFailure::io("writing", Path::new("/x"), full);
    assert!(failure.to_string().contains("free some space"), "{failure}");
}
