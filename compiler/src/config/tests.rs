use std::collections::BTreeMap;

use super::*;
use crate::diag::{Code, Diagnostic, Diagnostics, Location, Severity};
use crate::model::Mode;
use crate::world::MemoryWorld;

fn world(text: &str) -> MemoryWorld {
    MemoryWorld {
        files: BTreeMap::from([(FILE.to_owned(), text.as_bytes().to_vec())]),
    }
}

fn flaws(text: &str) -> String {
    let flaws = settle(&world(text), []).expect_err("a flaw");
    flaws.to_string()
}

#[test]
fn the_nearer_one_counts_and_is_named() {
    let world = world("zone = \"east\"\nmode = \"global\"\ndefault-policies = false\n");
    let zone = key("zone").expect("a key");
    let said = |value: &str, origin| (zone, value.to_owned(), origin);
    let flag = Origin::Flag("zone");
    let variable = Origin::Environment("MESHC_ZONE");
    let file = Origin::File {
        path: FILE.to_owned(),
        line: 1,
    };
    let none = settle(&world, []).expect("settings");
    assert_eq!(none.get(zone), ("east", &file));
    let one = settle(&world, [said("west", variable.clone())]).expect("settings");
    assert_eq!(one.get(zone), ("west", &variable));
    let two = [said("west", variable), said("north", flag.clone())];
    let two = settle(&world, two).expect("settings");
    assert_eq!(two.get(zone), ("north", &flag));
    let settings = two.settings();
    assert_eq!(
        (settings.zone.as_str(), settings.mode),
        ("north", Mode::Global)
    );
    assert!(!settings.default_policies && settings.given.zone && !settings.given.system_namespace);
    let nothing = settle(&MemoryWorld::default(), []).expect("settings");
    assert_eq!(nothing.settings(), crate::model::Settings::default());
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let text = "zon = \"east\"\nmode = \"gobal\"\nzone = 3\n\n[lint]\nno-efect = \"off\"\nno-effect = \"loud\"\ndangling-ref = \"warning\"\nlint = \"off\"\n";
    let expected = "\
meshc.toml:1:1: there is no setting `zon`
  help: did you mean `zone`?
meshc.toml:2:8: `mode` cannot be `gobal`
  help: did you mean `global`?
meshc.toml:3:8: `zone` is a text, not a number
meshc.toml:6:1: there is no code `no-efect`
  help: did you mean `no-effect`?
meshc.toml:7:13: `no-effect` is `\"off\"`, `\"warning\"` or `\"error\"`
meshc.toml:8:16: `dangling-ref` is an error whatever a setting says
  help: an error keeps a bundle from being made: mend what it is about
meshc.toml:9:1: there is no code `lint`";
    assert_eq!(flaws(text), expected);
}

#[test]
fn what_is_no_toml_or_no_text_is_told() {
    assert!(
        flaws("zone = \n").starts_with("meshc.toml:1:"),
        "{}",
        flaws("zone = \n")
    );
    assert!(flaws("zone = \"a\"\nzone = \"b\"\n").starts_with("meshc.toml:2:1: "));
    assert!(flaws("[lint.per-file]\n\"a[\" = {}\n").contains("is no pattern"));
    assert!(flaws("lint = 3\n").contains("`lint` is a table"));
    assert!(
        flaws("zone = \"\u{1b}[31m\"\n")
            .lines()
            .all(|line| !line.contains('\u{1b}'))
    );
    assert!(flaws(&format!("# {}\n", "x".repeat(300_000))).contains("larger than"));
    let raw = MemoryWorld {
        files: BTreeMap::from([(FILE.to_owned(), vec![0xff])]),
    };
    let raw = settle(&raw, []).expect_err("a flaw").to_string();
    assert_eq!(raw, "meshc.toml: it is not UTF-8");
}

#[test]
fn a_level_weighs_warnings_and_never_an_error() {
    let text = "[lint]\nno-effect = \"off\"\nunused-resource = \"error\"\n[lint.per-file]\n\"old/**\" = { unused-resource = \"off\", no-effect = \"warning\" }\n\"old/*.yaml\" = { unused-resource = \"warning\" }\n";
    let effective = settle(&world(text), []).expect("settings");
    let apply = |code: Code, file: &str, severity| {
        let mut finding = Diagnostic::new(code, Location::of_file(file), "so");
        finding.severity = severity;
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(finding);
        effective.lint.apply(&mut diagnostics, str::to_owned);
        let left = diagnostics.list.first().map(|finding| finding.severity);
        assert_eq!(diagnostics.suppressed, usize::from(left.is_none()));
        left
    };
    let (warning, error) = (Some(Severity::Warning), Some(Severity::Error));
    let of_warning = |code, file| apply(code, file, Severity::Warning);
    assert_eq!(of_warning(Code::NO_EFFECT, "a.yaml"), None);
    assert_eq!(of_warning(Code::NO_EFFECT, "old/a.yaml"), warning);
    assert_eq!(of_warning(Code::UNUSED_RESOURCE, "a.yaml"), error);
    assert_eq!(of_warning(Code::UNUSED_RESOURCE, "old/deep/a.yaml"), None);
    assert_eq!(of_warning(Code::UNUSED_RESOURCE, "old/a.yaml"), warning);
    assert_eq!(of_warning(Code::SELECTS_NOTHING, "old/a.yaml"), warning);
    assert_eq!(apply(Code::NO_EFFECT, "a.yaml", Severity::Error), error);
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let judge = |value: serde_json::Value| validator.is_valid(&value);
    assert!(judge(serde_json::json!({
        "zone": "east", "mode": "global", "default-policies": false, "fail-on": "warning", "format": "sarif",
        "lint": { "no-effect": "off", "dangling-ref": "error", "per-file": { "a/**": { "no-effect": "error" } } },
    })));
    for wrong in [
        serde_json::json!({ "zon": "east" }),
        serde_json::json!({ "zone": "East Side" }),
        serde_json::json!({ "default-policies": "false" }),
        serde_json::json!({ "lint": { "dangling-ref": "off" } }),
        serde_json::json!({ "lint": { "per-file": { "a/**": { "nothing": "off" } } } }),
    ] {
        assert!(!judge(wrong.clone()), "{wrong}");
    }
}

#[test]
fn gates_are_read_with_their_lines() {
    let text = "[gates]\nmax-proxies = 3\n[gates.owners]\n\"teams/pay/\" = { services = [\"pay*\"] }\n\"teams\" = { identities = [] }\n";
    let gates = settle(&world(text), [])
        .expect("settings")
        .gates
        .expect("gates");
    assert_eq!(gates.max_proxies, Some(Told { value: 3, line: 2 }));
    assert_eq!(gates.trailer(), TRAILER);
    let owner = |file: &str| gates.owner(file).map(|owner| owner.directory.as_str());
    // The nearest directory, as a whole name.
    assert_eq!(owner("teams/pay/a.yaml"), Some("teams/pay"));
    assert_eq!(owner("teams/payments/a.yaml"), Some("teams"));
    assert_eq!(owner("a.yaml"), None);
}

#[test]
fn what_no_gate_can_be_is_refused() {
    for (text, message) in [
        ("gates = 1", "`gates` is a table, not a number"),
        (
            "[gates]\nmax-proxies = -1",
            "`max-proxies` is a whole number",
        ),
        ("[gates]\nmax-proxies-percent = 101", "from 0 to 100"),
        (
            "[gates]\nallow-new-external = 1",
            "is `true` or `false`, not a number",
        ),
        (
            "[gates]\nremoval-trailer = \"a b\"",
            "is the name of a trailer",
        ),
        (
            "[gates.owners]\n\"a/*\" = { services = [] }",
            "`a/*` is no directory",
        ),
        ("[gates.owners]\na = {}", "`identities`, `services` or both"),
        (
            "[gates.owners]\na = { service = [] }",
            "did you mean `services`?",
        ),
        (
            "[gates.owners]\na = { services = [\"[\"] }",
            "`[` is no pattern of names",
        ),
        ("[gates.owners]\na = { services = \"x\" }", "is a list"),
    ] {
        let flaws = flaws(text);
        assert!(flaws.contains(message), "{text}: {flaws}");
    }
}

#[test]
fn join_tokens_that_a_commit_ends() {
    let (one, two) = ("0123456789abcdef0123456789abcdef", "f".repeat(32));
    let text = format!("[tokens]\nrevoked = [\n  \"{one}\",\n  \"{two}\",\n]\n");
    let effective = settle(&world(&text), []).expect("settings");
    let told = effective.revoked_tokens.iter();
    let told: Vec<_> = told.map(|it| (it.value.as_str(), it.line)).collect();
    assert_eq!(told, [(one, 3), (two.as_str(), 4)]);
    let shown = effective
        .lines()
        .filter(|(name, ..)| name == "tokens.revoked");
    assert_eq!(shown.count(), 2);
    for (text, message) in [
        ("tokens = 1".to_owned(), "`tokens` is a table, not a number"),
        (
            "[tokens]\nrevokd = []".to_owned(),
            "did you mean `revoked`?",
        ),
        (
            "[tokens]\nrevoked = \"a\"".to_owned(),
            "is a list of at most 4096",
        ),
        (
            format!("[tokens]\nrevoked = [\"{}\"]", one.to_uppercase()),
            "not the identifier of a join token",
        ),
        (
            "[tokens]\nrevoked = [\"mesh1.eyJ.abc\"]".to_owned(),
            "the token itself does not belong here",
        ),
        ("[tokens]\nrevoked = [1]".to_owned(), "not the identifier"),
        (
            format!("[tokens]\nrevoked = [\"{one}\", \"{one}\"]"),
            "is in the list twice",
        ),
    ] {
        let flaws = flaws(&text);
        assert!(flaws.contains(message), "{text}: {flaws}");
    }
}

#[test]
fn a_rollout_is_read_and_what_is_wrong_with_it_is_told() {
    let text = "[rollout]\nbake = \"2m\"\nmax-rejects = 1\n\n[rollout.traffic]\nmin-requests = 50\nmax-added-failures-percent = 0.5\nmax-added-latency-percent = 100\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = { stage = \"canary\" }\n\n[[rollout.waves]]\nname = \"some\"\nshare-percent = 20\n";
    let effective = settle(&world(text), []).expect("settings");
    let shown = effective.lines().map(|(name, value, _)| (name, value));
    let shown: Vec<_> = shown
        .filter(|(name, _)| name.starts_with("rollout.traffic"))
        .collect();
    let expected = [
        ("rollout.traffic.min-requests", "50"),
        ("rollout.traffic.max-added-failures-percent", "0.5"),
        ("rollout.traffic.max-added-latency-percent", "100"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(shown, expected);
    let rollout = effective.rollout.expect("a rollout");
    assert_eq!(
        rollout.traffic.clone().expect("gates"),
        rollout::Traffic {
            min_requests: 50,
            failures: Some(5_000),
            denials: None,
            latency_percent: Some(100),
        }
    );
    assert_eq!(rollout.bake.as_secs(), 120);
    assert_eq!(
        (rollout.max_rejects, rollout.acknowledged_percent),
        (1, 100)
    );
    let names: Vec<_> = rollout
        .waves
        .iter()
        .map(|wave| wave.name.as_str())
        .collect();
    assert_eq!(names, ["canary", "some"]);
    let (canary, some) = (&rollout.waves[0], &rollout.waves[1]);
    let kri = |number: u32| -> mesh_bundle::Kri {
        let text = format!("kri_dp_shop_default__web-{number}_");
        text.parse().expect("a KRI")
    };
    let labels = BTreeMap::from([("stage".to_owned(), "canary".to_owned())]);
    assert!(canary.holds(&kri(1), &labels) && !canary.holds(&kri(1), &BTreeMap::new()));
    let chosen = (0..1_000)
        .filter(|number| some.holds(&kri(*number), &labels))
        .count();
    assert!((150..250).contains(&chosen), "{chosen} of 1000");
    let all = rollout::Wave {
        share_percent: 100,
        ..some.clone()
    };
    assert!((0..1_000).all(|number| all.holds(&kri(number), &labels)));

    let text = "[rollout]\nbake = \"soon\"\nmax-reject = 1\nacknowledged-percent = 101\nmax-failed-points = 1\ntraffic = { max-added-denials-percent = 101, min = 1 }\n[[rollout.waves]]\nname = \"fleet\"\nshare-percent = 5\n[[rollout.waves]]\nname = \"two\"\n[[rollout.waves]]\nname = \"a b\"\nshare-percent = 5\n";
    let expected = "\
meshc.toml:2:8: `bake` is a time of at most 24h
  help: write it as `30s`, `5m` or `1h`
meshc.toml:3:1: there is no part of a rollout `max-reject`
  help: did you mean `max-rejects`?
meshc.toml:4:24: `acknowledged-percent` is a whole number from 0 to 100
meshc.toml:5:1: there is no part of a rollout `max-failed-points`
meshc.toml:6:41: `max-added-denials-percent` is a number from 0 to 100
meshc.toml:6:46: there is no gate on traffic `min`
meshc.toml:7:1: `fleet` is the last wave, which is always there
meshc.toml:10:1: the wave `two` has either `labels` or `share-percent`
  help: such as `labels = { stage = \"canary\" }`, or `share-percent = 5`
meshc.toml:12:1: a wave has a `name` of letters, digits, `-` and `_`";
    assert_eq!(flaws(text), expected);
}
