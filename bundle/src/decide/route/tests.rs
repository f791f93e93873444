//! Route selection, against worked examples and a naive reading.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::decide::NormalPath;
use crate::kri::Kri;
use crate::origin::Origin;
use crate::resource::{Protocol, TcpRoute, TextMatch};

#[derive(Debug, Clone)]
struct Get {
    method: &'static str,
    path: String,
    query: Option<&'static str>,
    headers: BTreeMap<&'static str, &'static [u8]>,
}

impl Request for Get {
    fn method(&self) -> &str {
        self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> Option<&str> {
        self.query
    }
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers.get(name).map(|value| Cow::Borrowed(*value))
    }
}

fn get(target: &'static str) -> Get {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let NormalPath { matched, .. } = normalise(path).unwrap();
    Get {
        method: "GET",
        path: matched.into_owned(),
        query,
        headers: BTreeMap::new(),
    }
}

fn kri(text: &str) -> Kri {
    text.parse().unwrap()
}

fn origin() -> Origin {
    Origin {
        resource: kri("kri_mhr_default___r_"),
        file: "routes.yaml".to_owned(),
        line: 1,
    }
}

fn destination(traffic: Traffic) -> Destination {
    let service = kri("kri_msvc_default___api_http");
    Destination::new(service, Protocol::Http, 80, traffic, origin())
}

fn table(matches: impl IntoIterator<Item = RequestMatch>) -> Result<RouteTable, BadPattern> {
    let route = |(index, matches): (usize, RequestMatch)| HttpRoute {
        matches,
        ..HttpRoute::new(
            kri(&format!("kri_mhr_default___r_rule_{index}")),
            Vec::new(),
            origin(),
        )
    };
    let routes = matches.into_iter().enumerate().map(route).collect();
    RouteTable::compile(&destination(Traffic::Http { routes }))
}

fn index(table: &RouteTable, request: &Get) -> Option<usize> {
    let section = &table.select(request)?.route.kri.section();
    section.strip_prefix("rule_")?.parse().ok()
}

fn path(path: PathMatch) -> RequestMatch {
    RequestMatch {
        path: Some(path),
        ..RequestMatch::default()
    }
}

fn prefix(text: &str) -> RequestMatch {
    path(PathMatch::Prefix(text.to_owned()))
}

/// Language 9, E5, as the compiler orders it.
#[test]
fn longer_prefixes_come_first() {
    let table = table(["/admin", "/v2", "/"].map(prefix)).unwrap();
    for (target, expected) in [
        ("/admin", 0),
        ("/admin/x", 0),
        ("/adminx", 2),
        ("/v2", 1),
        ("/v2/", 1),
        ("/v2/x?y", 1),
        ("/v2x", 2),
        ("/", 2),
        // what hides a path does not hide it
        ("/x/../admin/x", 0),
        ("//admin/x", 0),
        ("/admin;x=1", 0),
        ("/%61dmin", 0),
        ("/Admin", 2),
    ] {
        assert_eq!(index(&table, &get(target)), Some(expected), "{target}");
    }
    let selected = table.select(&get("/v2/x")).unwrap();
    assert_eq!(selected.matched_prefix(), Some("/v2"));
}

#[test]
fn one_match_at_a_time() {
    let exact = |text: &str| path(PathMatch::Exact(text.to_owned()));
    let regex = |text: &str| path(PathMatch::Regex(text.to_owned()));
    let method = |text: &str| RequestMatch {
        method: Some(text.to_owned()),
        ..RequestMatch::default()
    };
    let header = |value| RequestMatch {
        headers: vec![HeaderMatch {
            name: "x-canary".to_owned(),
            value,
        }],
        ..RequestMatch::default()
    };
    let query = |value| RequestMatch {
        query: vec![QueryMatch {
            name: "v".to_owned(),
            value,
        }],
        ..RequestMatch::default()
    };
    let text = |text: &str| TextMatch::Exact(text.to_owned());
    let mut canary = get("/");
    canary.headers.insert("x-canary", b"1,2");
    for (matches, request, expected) in [
        (RequestMatch::default(), get("/any"), true),
        (exact("/a"), get("/a?b"), true),
        (exact("/a"), get("/a/"), false),
        (exact("/a%2Db"), get("/a-b"), true),
        (exact("/a%2fb"), get("/a/b"), false),
        (regex("/[ab]+"), get("/ab"), true),
        (regex("/[ab]+"), get("/abc"), false),
        (regex("/a|/b"), get("/bx"), false),
        (method("GET"), get("/"), true),
        (method("POST"), get("/"), false),
        (header(text("1,2")), canary.clone(), true),
        (header(text("1")), canary.clone(), false),
        (
            header(TextMatch::Regex("1.*".to_owned())),
            canary.clone(),
            true,
        ),
        (header(TextMatch::Absent), canary, false),
        (header(TextMatch::Absent), get("/"), true),
        (header(TextMatch::Present), get("/"), false),
        (query(text("1")), get("/?v=1&v=2"), true),
        (query(text("2")), get("/?v=1&v=2"), false),
        (query(text("")), get("/?v"), true),
        (query(text("")), get("/"), false),
    ] {
        let table = table([matches.clone()]).unwrap();
        assert_eq!(
            index(&table, &request).is_some(),
            expected,
            "{matches:?} on {request:?}"
        );
    }
}

#[test]
fn a_bad_pattern_names_its_place() {
    let bad = || TextMatch::Regex("(".to_owned());
    let header = RequestMatch {
        headers: vec![HeaderMatch {
            name: "a".to_owned(),
            value: bad(),
        }],
        ..RequestMatch::default()
    };
    let query = RequestMatch {
        query: vec![QueryMatch {
            name: "a".to_owned(),
            value: bad(),
        }],
        ..RequestMatch::default()
    };
    for (matches, expected) in [
        (
            path(PathMatch::Regex("(".to_owned())),
            "/traffic/routes/1/match/path/value",
        ),
        (header, "/traffic/routes/1/match/headers/0/value/value"),
        (query, "/traffic/routes/1/match/query/0/value/value"),
    ] {
        let error = table([prefix("/"), matches.clone()]).unwrap_err();
        assert_eq!(error.pointer, expected);
        let route = serde_json::json!({"traffic": {"routes": [{}, {"match": matches}]}});
        assert_eq!(route.pointer(expected), Some(&serde_json::json!("(")));
    }
}

#[test]
fn a_destination_of_bytes_has_no_routes() {
    let route = TcpRoute {
        kri: kri("kri_msvc_default___db_"),
        backends: Vec::new(),
        origin: origin(),
    };
    let table = RouteTable::compile(&destination(Traffic::Tcp { route })).unwrap();
    assert!(table.select(&get("/")).is_none());
}

fn segments() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "ab", "b"]);
    prop::collection::vec(segment, 0..3).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_match() -> impl Strategy<Value = RequestMatch> {
    let path = prop_oneof![
        segments().prop_map(PathMatch::Exact),
        segments().prop_map(PathMatch::Prefix),
        segments().prop_map(|text| PathMatch::Regex(text.replace('b', "[b]"))),
    ];
    let text = prop_oneof![
        Just(TextMatch::Present),
        Just(TextMatch::Absent),
        Just(TextMatch::Exact("a".to_owned())),
        Just(TextMatch::Prefix("a".to_owned())),
        Just(TextMatch::Regex("a".to_owned())),
    ];
    let header = text.clone().prop_map(|value| HeaderMatch {
        name: "h".to_owned(),
        value,
    });
    let query = text.prop_map(|value| QueryMatch {
        name: "q".to_owned(),
        value,
    });
    let method = prop::option::of(prop::sample::select(vec![
        "GET".to_owned(),
        "PUT".to_owned(),
    ]));
    (
        prop::option::of(path),
        method,
        prop::collection::vec(header, 0..2),
        prop::collection::vec(query, 0..2),
    )
        .prop_map(|(path, method, headers, query)| RequestMatch {
            path,
            method,
            headers,
            query,
        })
}

fn naive(rule: &RequestMatch, request: &Get) -> bool {
    let names = |path: &str| {
        path.split('/')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let path = match &rule.path {
        None => true,
        Some(PathMatch::Exact(text)) => *text == request.path,
        Some(PathMatch::Prefix(text)) => names(&request.path).starts_with(&names(text)),
        Some(PathMatch::Regex(text)) => text.replace("[b]", "b") == request.path,
    };
    let text = |rule: &TextMatch, value: Option<&str>| match rule {
        TextMatch::Present => value.is_some(),
        TextMatch::Absent => value.is_none(),
        TextMatch::Exact(_) | TextMatch::Regex(_) => value == Some("a"),
        TextMatch::Prefix(_) => value.is_some_and(|value| value.starts_with('a')),
    };
    let header = request
        .headers
        .get("h")
        .map(|value| std::str::from_utf8(value).unwrap());
    let query = request.query.map(|query| query.trim_start_matches("q="));
    path && rule
        .method
        .as_deref()
        .is_none_or(|method| method == request.method)
        && rule.headers.iter().all(|rule| text(&rule.value, header))
        && rule.query.iter().all(|rule| text(&rule.value, query))
}

proptest! {
    #[test]
    fn the_first_that_a_naive_reading_finds(
        // Few are looked at one by one, many by their paths.
        rules in prop_oneof![
            prop::collection::vec(any_match(), 0..6),
            prop::collection::vec(any_match(), 17..40),
        ],
        path in segments(),
        method in prop::sample::select(vec!["GET", "PUT"]),
        query in prop::option::of(prop::sample::select(vec!["q=a", "q=ab", "q=b"])),
        header in prop::option::of(prop::sample::select(vec![b"a".as_slice(), b"ab", b"b"])),
    ) {
        let headers = header.map(|value| ("h", value)).into_iter().collect();
        let request = Get { method, path, query, headers };
        let table = table(rules.clone()).unwrap();
        prop_assert_eq!(index(&table, &request), rules.iter().position(|rule| naive(rule, &request)));
    }
}
