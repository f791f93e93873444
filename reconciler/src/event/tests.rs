use super::*;

fn news(name: &str) -> News {
    News::error("Source", name, "CompileFailed", "two\nlines").of(Some("c3d1"))
}

#[test]
fn the_same_again_is_counted_and_is_news_after_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let events = Events::open(&state);
    let begin = 1_764_291_723;
    for (name, after, first) in [
        ("a", 0, true),
        ("a", 60, false),
        ("b", 61, true),
        ("a", 62, false),
        // Five minutes after the last time.
        ("a", 62 + SAME_WITHIN, true),
    ] {
        assert_eq!(
            events.record(&news(name), begin + after),
            first,
            "{name} {after}"
        );
    }
    let list = events.list();
    let seen: Vec<_> = list
        .iter()
        .map(|event| (event.involved_object.name.as_str(), event.count))
        .collect();
    assert_eq!(seen, [("a", 1), ("a", 3), ("b", 1)]);
    assert_eq!(list[0].message, "two lines");
    assert_eq!(list[1].timestamp, "2025-11-28T01:03:05Z");
}

#[test]
fn they_have_the_shape_that_others_know() {
    let directory = tempfile::tempdir().unwrap();
    let events = Events::open(&StateDir::open(directory.path()).unwrap());
    events.record(&news("web"), 0);
    let json = serde_json::to_value(events.list()).unwrap();
    let expected = serde_json::json!([{
        "involvedObject": { "kind": "Source", "name": "web" },
        "severity": "error",
        "reason": "CompileFailed",
        "message": "two lines",
        "metadata": { "revision": "c3d1" },
        "reportingController": "meshd",
        "timestamp": "1970-01-01T00:00:00Z",
        "count": 1,
    }]);
    assert_eq!(json, expected);
}

#[tokio::test]
async fn they_outlive_a_restart_and_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(directory.path()).unwrap());
    let events = Arc::new(Events::open(&state));
    for index in 0..KEPT as u64 + 10 {
        events.record(&news(&index.to_string()), index);
    }
    let stop = watch::Sender::new(false);
    let keeping = tokio::spawn(Arc::clone(&events).keep(Arc::clone(&state), stop.subscribe()));
    stop.send(true).unwrap();
    keeping.await.unwrap();
    let again = Events::open(&state);
    assert_eq!(again.list(), events.list());
    assert_eq!(again.list().len(), KEPT);
    for damaged in [&b"{"[..], b"{\"format\":2,\"events\":[]}", b""] {
        state.write(FILE, damaged).unwrap();
        assert_eq!(Events::open(&state).list(), []);
    }
}
