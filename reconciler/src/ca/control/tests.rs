use super::*;
use crate::ca::{Name, Request, probe};
use crate::tls;

const NOW: u64 = 1_800_000_000;

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    (directory, state)
}

#[test]
fn the_one_before_vouches_for_the_next_until_nobody_needs_it() {
    let (_directory, state) = state();
    let before = open_control(&state, NOW).unwrap();
    let shown = rotate(&state, NOW).unwrap();
    let next = open_control(&state, NOW).unwrap();
    assert_eq!(next.pin(), shown.pin);
    assert_ne!(next.pin(), before.pin());
    let old = before.anchor().unwrap();
    let new = next.anchor().unwrap();
    assert_eq!(next.anchors(), [new.clone(), old.clone()]);

    // meshd's own certificate, for those who know either of them.
    let (own, _) = next.issue_own("meshd.control", SKEW, NOW).unwrap();
    let (leaf, between) = own.chain.split_first().unwrap();
    tls::accepted(new, leaf, between, NOW).unwrap();
    tls::accepted(old, leaf, between, NOW).unwrap();
    // What the next one signs for proxies is judged by the next one.
    let id = "spiffe://meshd.control/mesh/a/dataplane/b".parse().unwrap();
    let request = Request::read(&probe().unwrap().1).unwrap();
    let proxy = next.issue(&request, Name::Spiffe(&id), SKEW, NOW).unwrap();
    assert_eq!(proxy.chain.len(), 1);
    tls::accepted(new, &proxy.chain[0], &[], NOW).unwrap();

    // Not twice in this time: somebody may know the first one alone.
    let again = rotate(&state, NOW + 1).unwrap_err().to_string();
    assert!(again.contains("another one before it"), "{again}");
    let later = NOW + OVERLAP.as_secs() + 1;
    let alone = open_control(&state, later).unwrap();
    assert_eq!(alone.anchors(), std::slice::from_ref(new));
    rotate(&state, later).unwrap();
}

#[test]
fn a_kill_between_the_two_files_leaves_what_was_there() {
    let (_directory, state) = state();
    let before = open_control(&state, NOW).unwrap();
    let kept = state.read("ca/control.pem").unwrap().unwrap();
    rotate(&state, NOW).unwrap();
    state.write("ca/control.pem", &kept).unwrap();
    let after = open_control(&state, NOW).unwrap();
    assert_eq!(after.anchors(), [before.anchor().unwrap().clone()]);
    // And it can be tried again.
    rotate(&state, NOW).unwrap();
    assert_eq!(open_control(&state, NOW).unwrap().anchors().len(), 2);
    state.write(FORMER, b"").unwrap();
    let damaged = open_control(&state, NOW).unwrap_err().to_string();
    assert!(damaged.contains("damaged"), "{damaged}");
}
