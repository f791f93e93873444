//! Stories of language section 9 that need no kind, and what section 4 says besides.

use std::collections::BTreeMap;

use mesh_bundle::kri::Parts;
use serde_json::{Value, json};

use super::applies::Subject;
use super::inbound::{read_match, subsumes};
use super::*;
use crate::model::Format;

const TIMEOUT: Descriptor = Descriptor {
    kind: "MeshTimeout",
    conf: ConfAt::Default,
    compat: Compat::Off,
};

pub(super) fn source(name: &str, at: &Pointer) -> Source {
    let meta = meta("mt", name, &[]);
    Source {
        resource: meta.kri.clone(),
        at: meta.within(at),
        virtual_document: false,
        class: Strength::of(&meta, &Target::read(None), None, Compat::Off).class,
    }
}

pub(crate) fn meta(kind: &str, name: &str, labels: &[(&str, &str)]) -> Meta {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let labels: BTreeMap<String, String> = labels.iter().map(pair).collect();
    Meta {
        kri: Kri::new(Parts {
            kind,
            mesh: "default",
            namespace: labels
                .get("k8s.kuma.io/namespace")
                .map_or("", String::as_str),
            name,
            ..Parts::default()
        }),
        format: Format::Universal,
        labels,
        created: None,
        at: Location {
            file: format!("{name}.yaml"),
            document: 0,
            pointer: Pointer::default(),
            key: false,
        },
        body: Pointer::default().field("spec"),
        virtual_document: false,
    }
}

fn service(name: &str) -> Kri {
    meta("msvc", name, &[]).kri
}

/// A policy of the story: name, labels, spec. `@` in front of the name makes it a default policy.
type Told<'a> = (&'a str, &'a [(&'a str, &'a str)], Value);

fn table(policies: &[Told<'_>]) -> Table {
    let metas: Vec<Arc<Meta>> = policies
        .iter()
        .map(|(name, labels, _)| {
            Arc::new(Meta {
                virtual_document: name.starts_with('@'),
                ..meta("mt", name.trim_start_matches('@'), labels)
            })
        })
        .collect();
    let bodies: Vec<Json> = policies
        .iter()
        .map(|(_, _, body)| body.clone().into())
        .collect();
    let written = metas
        .iter()
        .zip(&bodies)
        .map(|(meta, body)| Written { meta, body });
    Table::read(
        TIMEOUT,
        Shadows::Listed,
        written,
        |target, _, _| match target.kind {
            TargetKind::Mesh => vec![Towards::Mesh],
            TargetKind::MeshHttpRoute => {
                vec![Towards::Route(
                    meta("mhttpr", &target.labels["name"], &[]).kri,
                )]
            }
            _ => match &target.section {
                Some(section) => vec![Towards::Port(
                    service(&target.labels["name"]).with_section(section.as_str()),
                )],
                None => vec![Towards::Service(service(&target.labels["name"]))],
            },
        },
    )
}

fn to(target: &Value, conf: &Value) -> Value {
    json!({"to": [{"targetRef": target, "default": conf}]})
}

fn to_service(name: &str, conf: &Value) -> Value {
    to(
        &json!({"kind": "MeshService", "labels": {"name": name}}),
        conf,
    )
}

fn to_mesh(conf: &Value) -> Value {
    to(&json!({"kind": "Mesh"}), conf)
}

fn from(top: Value, mut spec: Value) -> Value {
    spec["targetRef"] = top;
    spec
}

fn app(name: &str) -> Value {
    json!({"kind": "Dataplane", "labels": {"app": name}})
}

fn lookup(table: &Table, proxy: &[(&str, &str)], port: &str) -> Value {
    let (name, section) = port.split_once(':').unwrap();
    let meta = meta("dp", "proxy", proxy);
    let subject = Subject {
        meta: &meta,
        sections: &[],
    };
    table
        .outbound(&subject)
        .lookup(&service(name).with_section(section))
        .to_value()
}

const WEB: &[(&str, &str)] = &[("app", "web")];
const API: &[(&str, &str)] = &[("app", "api")];

#[test]
fn e1_levels_combine() {
    let admin = json!({"kind": "MeshService", "labels": {"name": "api"}, "sectionName": "admin"});
    let table = table(&[
        ("c", &[], to(&admin, &json!({"connect": 1}))),
        (
            "b",
            &[],
            to_service("api", &json!({"http": {"request": 3}})),
        ),
        ("a", &[], to_mesh(&json!({"idle": 10}))),
        (
            "@mesh-timeout-to-all-default",
            &[],
            to_mesh(&json!({"connect": 5, "idle": 60, "http": {"request": 15, "streamIdle": 30}})),
        ),
    ]);
    let expected = |connect: i32, request: i32| json!({"connect": connect, "idle": 10, "http": {"request": request, "streamIdle": 30}});
    assert_eq!(lookup(&table, WEB, "api:http"), expected(5, 3));
    assert_eq!(lookup(&table, WEB, "api:admin"), expected(1, 3));
    assert_eq!(lookup(&table, WEB, "other:http"), expected(5, 15));
}

#[test]
fn e2_the_top_beats_the_item() {
    let table = table(&[
        ("x", &[], from(app("web"), to_mesh(&json!({"request": 20})))),
        ("y", &[], to_service("api", &json!({"request": 3}))),
    ]);
    assert_eq!(lookup(&table, WEB, "api:http"), json!({"request": 20}));
    assert_eq!(lookup(&table, API, "api:http"), json!({"request": 3}));
}

#[test]
fn e3_the_smaller_name_wins_but_defaults_never_do() {
    let table = table(&[
        ("zz", &[], to_mesh(&json!({"retries": 9}))),
        ("aa", &[], to_mesh(&json!({"retries": 1}))),
        ("@0", &[], to_mesh(&json!({"retries": 5, "idle": 1}))),
    ]);
    assert_eq!(
        lookup(&table, WEB, "api:http"),
        json!({"retries": 1, "idle": 1})
    );
}

#[test]
fn e8_producers_are_heard_everywhere_and_consumers_at_home() {
    let producer: &[(&str, &str)] = &[
        ("k8s.kuma.io/namespace", "shop"),
        ("kuma.io/policy-role", "producer"),
    ];
    let consumer: &[(&str, &str)] = &[
        ("k8s.kuma.io/namespace", "web"),
        ("kuma.io/policy-role", "consumer"),
    ];
    let table = table(&[
        (
            "a",
            producer,
            to_service("cart", &json!({"request": 1, "idle": 1})),
        ),
        ("b", consumer, to_service("cart", &json!({"request": 2}))),
    ]);
    let at = |namespace| lookup(&table, &[("k8s.kuma.io/namespace", namespace)], "cart:http");
    assert_eq!(at("web"), json!({"request": 2, "idle": 1}));
    assert_eq!(at("bank"), json!({"request": 1, "idle": 1}));
}

#[test]
fn a_later_item_of_one_policy_wins() {
    let item = |n| json!({"targetRef": {"kind": "Mesh"}, "default": {"idle": n}});
    let table = table(&[("a", &[], json!({"to": [item(1), item(2)]}))]);
    assert_eq!(lookup(&table, WEB, "api:http"), json!({"idle": 2}));
}

#[test]
fn the_origin_counts_before_the_name() {
    let table = table(&[
        (
            "a",
            &[("kuma.io/origin", "global")],
            to_mesh(&json!({"idle": 1})),
        ),
        (
            "z",
            &[("kuma.io/origin", "zone")],
            to_mesh(&json!({"idle": 2})),
        ),
        ("m", &[], to_mesh(&json!({"idle": 3}))),
    ]);
    assert_eq!(lookup(&table, WEB, "api:http"), json!({"idle": 2}));
}

#[test]
fn a_shadow_has_no_effect_and_another_zone_none_here() {
    let east: &[(&str, &str)] = &[("kuma.io/origin", "zone"), ("kuma.io/zone", "east")];
    let table = table(&[
        (
            "a",
            &[("kuma.io/effect", "shadow")],
            to_mesh(&json!({"shadow": 1})),
        ),
        ("b", east, to_mesh(&json!({"east": 1}))),
    ]);
    let at = |zone| lookup(&table, &[("kuma.io/zone", zone)], "api:http");
    assert_eq!(at("east"), json!({"east": 1}));
    assert_eq!(at("west"), json!({}));
}

#[test]
fn a_route_keeps_what_its_service_says() {
    let route = json!({"kind": "MeshHTTPRoute", "labels": {"name": "r"}});
    let table = table(&[
        (
            "a",
            &[],
            to_service("api", &json!({"request": 3, "idle": 7})),
        ),
        ("b", &[], to(&route, &json!({"request": 1}))),
    ]);
    let meta_ = meta("dp", "web", WEB);
    let outbound = table.outbound(&Subject {
        meta: &meta_,
        sections: &[],
    });
    let port = service("api").with_section("http");
    let merged = outbound
        .lookup_route(&port, &meta("mhttpr", "r", &[]).kri)
        .unwrap();
    assert_eq!(merged.to_value(), json!({"request": 1, "idle": 7}));
    assert!(
        outbound
            .lookup_route(&port, &meta("mhttpr", "s", &[]).kri)
            .is_none()
    );
    assert_eq!(
        outbound.lookup(&port).to_value(),
        json!({"request": 3, "idle": 7})
    );
}

fn peer(kind: &str, id: &str) -> Value {
    json!({"spiffeID": {"type": kind, "value": id}})
}

#[test]
fn e6_inbound_rules_from_broad_to_specific() {
    let rule = |matches: Value, conf: Value| json!({"matches": matches, "default": conf});
    let web = "spiffe://td/workload/web";
    let table = table(&[(
        "a",
        &[],
        json!({"rules": [
            {"default": {"request": 10}},
            rule(json!([peer("Prefix", web)]), json!({"streamIdle": 1})),
            rule(json!([peer("Exact", web)]), json!({"request": 2})),
        ]}),
    )]);
    let meta = meta("dp", "api", API);
    let sections = ["http".to_owned()];
    let subject = Subject {
        meta: &meta,
        sections: &sections,
    };
    let inbound = table.inbound(&subject, "http");
    assert_eq!(inbound.base().to_value(), json!({"request": 10}));
    let told: Vec<Value> = inbound
        .peers()
        .into_iter()
        .map(|peer| inbound.lookup(peer).to_value())
        .collect();
    assert_eq!(
        told,
        [
            json!({"request": 2, "streamIdle": 1}),
            json!({"request": 10, "streamIdle": 1})
        ]
    );
}

#[test]
fn sections_choose_inbounds() {
    let top = |section: &str| json!({"kind": "Dataplane", "sectionName": section});
    let rules = |n: i32| json!({"rules": [{"default": {"n": n}}]});
    let table = table(&[
        ("a", &[], from(top("http"), rules(1))),
        ("b", &[], from(top("admin"), rules(2))),
        ("c", &[], rules(3)),
    ]);
    let meta = meta("dp", "api", API);
    let sections = ["http".to_owned(), "9000".to_owned()];
    let subject = Subject {
        meta: &meta,
        sections: &sections,
    };
    let base = |section| table.inbound(&subject, section).base().to_value();
    assert_eq!(base("http"), json!({"n": 1}));
    assert_eq!(base("9000"), json!({"n": 3}));
    let applied: Vec<&str> = table
        .policies
        .iter()
        .filter(|policy| policy.applies(&subject))
        .map(|policy| policy.meta.kri.name())
        .collect();
    assert_eq!(applied, ["c", "a"]);
}

#[test]
fn who_is_about_whom() {
    let check = |broad: Value, narrow: Value, expected: bool| {
        let read = |value: &Value| read_match(&value.clone().into()).unwrap();
        assert_eq!(
            subsumes(&read(&broad), &read(&narrow)),
            expected,
            "{broad} {narrow}"
        );
    };
    check(
        peer("Prefix", "spiffe://td/a"),
        peer("Exact", "spiffe://td/a"),
        true,
    );
    check(
        peer("Prefix", "spiffe://td/a"),
        peer("Exact", "spiffe://td/ab"),
        true,
    );
    check(
        peer("Prefix", "spiffe://td/a"),
        peer("Prefix", "spiffe://td/a/b"),
        true,
    );
    check(
        peer("Prefix", "spiffe://td/a/b"),
        peer("Prefix", "spiffe://td/a"),
        false,
    );
    check(
        peer("Prefix", "spiffe://td"),
        peer("Exact", "spiffe://td2/a"),
        false,
    );
    check(
        peer("Exact", "spiffe://td/a"),
        peer("Prefix", "spiffe://td/a"),
        false,
    );
    check(
        peer("Exact", "spiffe://td/a"),
        peer("Exact", "spiffe://td/a"),
        true,
    );
    let sni = json!({"sni": {"type": "Exact", "value": "x.y"}});
    check(sni.clone(), peer("Exact", "spiffe://td/a"), false);
    check(peer("Exact", "spiffe://td/a"), sni, false);
    assert_eq!(read_match(&json!({}).into()), None);
}
