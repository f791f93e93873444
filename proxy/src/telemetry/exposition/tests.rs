use proptest::prelude::*;

use super::*;

fn written(read: &Exposition<'_>, more: Option<(&'static str, &'static str)>) -> String {
    let mut text = String::new();
    for family in &read.families {
        write(
            &mut text,
            family,
            family.samples.iter().map(|sample| (*sample, more)),
        );
    }
    text
}

#[test]
fn what_is_read_is_written_as_prometheus_reads_it() {
    let open_metrics = r#"# HELP http Requests.
# TYPE http counter
# UNIT http seconds
http_total{code="200",path="/a\"b,}"} 7 # {trace_id="x"} 1.0
http_created{code="200",path="/"} 1.5e9
# TYPE wait histogram
# HELP wait How long.
wait_bucket{le="0.5"} 1
wait_bucket{le="+Inf"} 2
wait_sum 0.75
wait_count 2
wait_created 1.5e9
# TYPE build info
build_info{version="1"} 1
loose 4 1700000000
# EOF
"#;
    let read = Exposition::read(open_metrics, 100);
    assert_eq!(read.left_out, 0);
    assert_eq!(
        written(&read, None),
        r#"# HELP http_total Requests.
# TYPE http_total counter
http_total{code="200",path="/a\"b,}"} 7
# HELP wait How long.
# TYPE wait histogram
wait_bucket{le="0.5"} 1
wait_bucket{le="+Inf"} 2
wait_sum 0.75
wait_count 2
# HELP build_info 
# TYPE build_info gauge
build_info{version="1"} 1
# HELP loose 
# TYPE loose untyped
loose 4
"#
    );
}

#[test]
fn a_label_is_added_and_takes_no_place() {
    let read = Exposition::read("a{application=\"mine\"} 1\nb 2\n", 100);
    let text = written(&read, Some(("application", "api")));
    assert!(
        text.contains("a{exported_application=\"mine\",application=\"api\"} 1\n"),
        "{text}"
    );
    assert!(text.contains("b{application=\"api\"} 2\n"), "{text}");
}

#[test]
fn what_is_no_sample_is_left_out() {
    for bad in [
        "a",
        "a b",
        "1a 1",
        "a{ 1",
        "a{b} 1",
        "a{b=c} 1",
        "a{b=\"c} 1",
        "a{b=\"c\"d=\"e\"} 1",
        "a{b:c=\"d\"} 1",
        "a\u{e4} 1",
        "a{\"quoted\",b=\"c\"} 1",
        "# TYPE a! counter",
    ] {
        let read = Exposition::read(bad, 100);
        assert_eq!(
            (read.left_out, read.families.len()),
            (1, 0),
            "{bad}: {read:?}"
        );
    }
    let long = format!("a{{b=\"{}\"}} 1", "x".repeat(LONGEST));
    assert_eq!(Exposition::read(&long, 100).left_out, 1);
    let many: Vec<String> = (0..=MOST_LABELS).map(|n| format!("l{n}=\"\"")).collect();
    let many = format!("a{{{}}} 1", many.join(","));
    assert_eq!(Exposition::read(&many, 100).left_out, 1);
}

#[test]
fn there_is_a_limit() {
    let text = "a 1\n".repeat(10);
    let read = Exposition::read(&text, 4);
    assert_eq!(read.left_out, 6);
    assert_eq!(
        read.families.iter().map(|f| f.samples.len()).sum::<usize>(),
        4
    );
}

proptest! {
    /// Whatever is read: what is written of it is read as the same.
    #[test]
    fn nothing_grows_a_line(text in "([a-z_]{1,3}(\\{[a-z]=\"[^\"]{0,5}\"\\})?|# (TYPE|HELP) [a-z]{1,2}( counter| histogram| x)?|\\PC{0,20})( [0-9]|\n|\r){0,2}") {
        let read = Exposition::read(&text, 100);
        let first = written(&read, None);
        let again = Exposition::read(&first, 100);
        prop_assert_eq!(again.left_out, 0, "{}", first);
        prop_assert_eq!(written(&again, None), first);
    }
}
