//! Judged by what routes say to random requests: no request may be of a class that is not there.

use mesh_bundle::decide::Request;
use mesh_bundle::resource::{
    Destination, HeaderMatch, HttpRoute, Protocol, QueryMatch, RequestMatch, Traffic,
};
use mesh_bundle::{Kri, Origin};
use proptest::prelude::*;

use super::*;

fn table(matches: Vec<RequestMatch>) -> RouteTable {
    let kri: Kri = "kri_msvc_default___api_http".parse().unwrap();
    let origin = Origin {
        resource: kri.clone(),
        file: "a.yaml".to_owned(),
        line: 1,
    };
    let route = |matches| HttpRoute {
        matches,
        ..HttpRoute::new(kri.clone(), Vec::new(), origin.clone())
    };
    let routes = matches.into_iter().map(route).collect();
    let traffic = Traffic::Http { routes };
    let destination = Destination::new(kri.clone(), Protocol::Http, 80, traffic, origin.clone());
    RouteTable::compile(&destination).unwrap()
}

fn of_path(path: PathMatch) -> RequestMatch {
    RequestMatch {
        path: Some(path),
        ..RequestMatch::default()
    }
}

fn told(tables: &[&RouteTable]) -> Vec<String> {
    let classes = classes(tables).unwrap();
    let place = |route: &Option<usize>| route.map_or("-".to_owned(), |place| place.to_string());
    classes
        .iter()
        .map(|class| {
            let routes: Vec<String> = class.routes.iter().map(place).collect();
            format!("{} {}", routes.join("/"), class.example)
        })
        .collect()
}

#[test]
fn no_routes_are_one_class() {
    assert_eq!(told(&[&table(vec![])]), ["- GET /"]);
    assert_eq!(told(&[]), [" GET /"]);
}

#[test]
fn a_rule_that_nothing_reaches_has_no_class() {
    let prefix = |text: &str| of_path(PathMatch::Prefix(text.to_owned()));
    let exact = |text: &str| of_path(PathMatch::Exact(text.to_owned()));
    let table = table(vec![
        prefix("/a"),
        exact("/a/b"),
        exact("/"),
        RequestMatch::default(),
    ]);
    assert_eq!(told(&[&table]), ["0 GET /a", "2 GET /", "3 GET /x"]);
}

#[test]
fn two_tables_are_told_apart_together() {
    let prefix = |text: &str| of_path(PathMatch::Prefix(text.to_owned()));
    let (before, after) = (table(vec![prefix("/a")]), table(vec![prefix("/a/b")]));
    assert_eq!(
        told(&[&before, &after]),
        ["-/- GET /", "0/- GET /a", "0/0 GET /a/b"]
    );
}

#[test]
fn expressions_headers_and_parameters_have_examples() {
    let matches = RequestMatch {
        path: Some(PathMatch::Regex("/v[0-9]+/.*".to_owned())),
        method: Some("GET".to_owned()),
        headers: vec![
            HeaderMatch {
                name: "host".to_owned(),
                value: TextMatch::Prefix("api.".to_owned()),
            },
            HeaderMatch {
                name: "x-user".to_owned(),
                value: TextMatch::Absent,
            },
        ],
        query: vec![QueryMatch {
            name: "q".to_owned(),
            value: TextMatch::Exact("a b".to_owned()),
        }],
    };
    let table = table(vec![matches]);
    let classes = classes(&[&table]).unwrap();
    assert_eq!(classes.len(), 2);
    let taken = classes
        .iter()
        .find(|class| class.routes == [Some(0)])
        .unwrap();
    assert_eq!(taken.example.to_string(), "GET /v0/?q=a%20b host: api.x");
}

#[test]
fn what_is_too_much_is_refused() {
    // Each rule cuts every part that is left into two.
    let rule = |number: usize| RequestMatch {
        headers: ["a", "b"]
            .map(|name| HeaderMatch {
                name: format!("{name}{number}"),
                value: TextMatch::Present,
            })
            .to_vec(),
        ..RequestMatch::default()
    };
    let table = table((0..20).map(rule).collect());
    assert_eq!(classes(&[&table]), Err(TooMany));
    // Each rule is asked by what it says, and the rest too.
    let samples = samples(&[&table]);
    let mut taken: Vec<_> = samples.iter().map(|class| class.routes.clone()).collect();
    taken.sort();
    let rules = (0..20).map(|number| vec![Some(number)]);
    assert_eq!(
        taken,
        std::iter::once(vec![None]).chain(rules).collect::<Vec<_>>()
    );
    for class in samples {
        assert_eq!([class.example.position(&table)], *class.routes);
    }
}

fn text() -> impl Strategy<Value = TextMatch> {
    prop_oneof![
        "[ab]{0,2}".prop_map(TextMatch::Exact),
        "[ab]{0,1}".prop_map(TextMatch::Prefix),
        prop::sample::select(vec!["a|b", "a.*", "[^a]*", "b+"])
            .prop_map(|text| TextMatch::Regex(text.to_owned())),
        Just(TextMatch::Present),
        Just(TextMatch::Absent),
    ]
}

fn path() -> impl Strategy<Value = PathMatch> {
    let text = || prop::sample::select(vec!["/", "/a", "/a/b", "/a/", "/b", "/ab", "/%41"]);
    prop_oneof![
        text().prop_map(|text| PathMatch::Exact(text.to_owned())),
        text().prop_map(|text| PathMatch::Prefix(text.to_owned())),
        prop::sample::select(vec!["/a.*", "/[ab]", "/.+/b"])
            .prop_map(|text| PathMatch::Regex(text.to_owned())),
    ]
}

fn route() -> impl Strategy<Value = RequestMatch> {
    let method =
        prop::option::of(prop::sample::select(vec!["GET", "POST"]).prop_map(str::to_owned));
    let name = || prop::sample::select(vec!["x", "y"]).prop_map(str::to_owned);
    let header = (name(), text()).prop_map(|(name, value)| HeaderMatch { name, value });
    let parameter = (name(), text()).prop_map(|(name, value)| QueryMatch { name, value });
    let headers = prop::collection::vec(header, 0..3);
    let query = prop::collection::vec(parameter, 0..2);
    (prop::option::of(path()), method, headers, query).prop_map(|(path, method, headers, query)| {
        RequestMatch {
            path,
            method,
            headers,
            query,
        }
    })
}

fn request() -> impl Strategy<Value = Asked> {
    let path = prop::sample::select(vec![
        "/", "/a", "/a/", "/a/b", "/b", "/abc", "/A", "/c/b", "//a",
    ]);
    let method = prop::sample::select(vec!["GET", "POST", "PUT"]);
    let value = || prop::option::of("[abc]{0,3}");
    let values = prop::array::uniform4(value());
    (method, path, values).prop_map(|(method, path, [x, y, p, q])| {
        let mut asked = Asked::new(method, path);
        for (name, value) in [("x", x), ("y", y)] {
            asked
                .headers
                .extend(value.map(|value| (name.to_owned(), value)));
        }
        let pairs = [("x", p), ("y", q)].into_iter();
        let pairs = pairs.filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let pairs: Vec<String> = pairs.collect();
        asked.query = (!pairs.is_empty()).then(|| pairs.join("&"));
        asked
    })
}

fn routes(tables: &[&RouteTable], asked: &Asked) -> Vec<Option<usize>> {
    let ask = |table: &&RouteTable| asked.normal(|normal| table.position(&normal)).unwrap();
    tables.iter().map(ask).collect()
}

proptest! {
    // Each case builds a dozen automata, and asks them about forty requests.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_request_is_of_a_class(
        before in prop::collection::vec(route(), 0..4),
        after in prop::collection::vec(route(), 0..4),
        requests in prop::collection::vec(request(), 1..40),
    ) {
        let (before, after) = (table(before), table(after));
        let tables = [&before, &after];
        let classes = classes(&tables).unwrap();
        for class in &classes {
            prop_assert_eq!(&routes(&tables, &class.example), &class.routes, "{}", class.example);
        }
        for asked in requests {
            let taken = routes(&tables, &asked);
            prop_assert!(classes.iter().any(|class| class.routes == taken), "{asked}: {taken:?}");
        }
    }

    #[test]
    fn every_path_in_normal_form_is_of_the_domain(path in "/[a./%;A2~-]{0,6}") {
        let domain = regex::Regex::new(&format!(r"\A(?:{})\z", normal_paths())).unwrap();
        if let Ok(normal) = normalise(&path) {
            prop_assert!(domain.is_match(&normal.matched), "{path} {}", normal.matched);
        }
        if domain.is_match(&path) {
            let normal = normalise(&path).unwrap();
            prop_assert_eq!(&*normal.matched, &path);
        }
    }
}

#[test]
fn requests_are_written_as_people_write_them() {
    let asked = Asked::new("GET", "/a?b=1").with("X-User", "7");
    assert_eq!(asked.to_string(), "GET /a?b=1 x-user: 7");
    assert_eq!(
        asked.normal(|normal| normal.header("x-user").is_some()),
        Ok(true)
    );
}
