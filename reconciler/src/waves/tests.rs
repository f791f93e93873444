use std::time::Duration;

use super::*;

fn kri(name: &str) -> Kri {
    format!("kri_dp_shop_default__{name}_").parse().unwrap()
}

fn set(names: &str) -> BTreeSet<Kri> {
    names.split_whitespace().map(kri).collect()
}

fn plan(waves: &[(&str, &str)]) -> Plan {
    let waves = waves.iter().map(|(name, joins)| Wave {
        name: (*name).to_owned(),
        joins: set(joins),
    });
    Plan {
        waves: waves.collect(),
    }
}

fn gates() -> Gates {
    Gates {
        bake: Duration::from_secs(60),
        deadline: Duration::from_secs(120),
        ..Gates::default()
    }
}

/// Six Dataplanes: `c…` in the canary, `f…` in the fleet.
fn whole() -> Plan {
    plan(&[("canary", "c1 c2"), ("fleet", "f1 f2 f3 f4")])
}

/// What happens at a second: who is there, who holds it, who refuses it, and what follows from that.
type Step<'a> = (u64, &'a str, &'a str, &'a str, &'a str);

fn shown(action: &Action, machine: &Machine) -> String {
    match action {
        Action::Wait => "wait".to_owned(),
        Action::Serve => format!("serve {}", machine.wave().unwrap()),
        Action::Propose(wave) => format!("propose {}", wave.as_deref().unwrap_or("the end")),
        Action::Finish => "finish".to_owned(),
        Action::Return(breach) => format!("return {}: {}", breach.gate, breach.message),
    }
}

fn play(mut machine: Machine, start: Instant, steps: &[Step<'_>]) -> Machine {
    for (second, present, holding, refusing, expected) in steps {
        let seen = Observation {
            present: set(present),
            holding: set(holding),
            refusing: set(refusing)
                .into_iter()
                .map(|kri| (kri, "no".to_owned()))
                .collect(),
            ..Observation::default()
        };
        let action = machine.look(start + Duration::from_secs(*second), &seen);
        assert_eq!(shown(&action, &machine), *expected, "at {second} s");
    }
    machine
}

type Case<'a> = (&'a str, Gates, Plan, Vec<Step<'a>>);

fn play_all(cases: impl IntoIterator<Item = Case<'static>>) {
    for (name, gates, plan, steps) in cases {
        let start = Instant::now();
        let played = std::panic::AssertUnwindSafe(|| {
            play(Machine::new(gates, plan, start), start, &steps);
        });
        assert!(std::panic::catch_unwind(played).is_ok(), "{name}");
    }
}

#[test]
fn waves_go_on_and_refusals_count() {
    let all = "c1 c2 f1 f2 f3 f4";
    let cases: [Case<'static>; 4] = [
        (
            "everybody acknowledges",
            gates(),
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (11, all, "c1 f1 f2 f3 f4", "", "wait"),
                (12, all, all, "", "wait"),
                (71, all, all, "", "wait"),
                (72, all, all, "", "serve fleet"),
                (73, all, all, "", "wait"),
                (133, all, all, "", "finish"),
            ],
        ),
        (
            "one refuses",
            gates(),
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (
                    11,
                    all,
                    "c1",
                    "c2",
                    "return Rejected: wave `canary`: 1 proxies refused it, at most 0 may: c2: no",
                ),
            ],
        ),
        (
            "one may refuse, and one of two suffices",
            Gates {
                max_rejects: 1,
                acknowledged_percent: 50,
                ..gates()
            },
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (11, all, "c1", "c2", "wait"),
                (71, all, "c1", "c2", "serve fleet"),
            ],
        ),
        (
            "a refusal of what one had before says nothing",
            gates(),
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (11, all, "c1 c2", "f1", "wait"),
            ],
        ),
    ];
    play_all(cases);
}

#[test]
fn a_wave_must_answer_in_time() {
    let all = "c1 c2 f1 f2 f3 f4";
    let cases: [Case<'static>; 3] = [
        (
            "one does not answer",
            gates(),
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (129, all, "c1", "", "wait"),
                (
                    130,
                    all,
                    "c1",
                    "",
                    "return NotAcknowledged: wave `canary`: 1 of 2 proxies hold it after 2m0s, 100 % must: c2",
                ),
            ],
        ),
        (
            "nobody of the canary is there, and one that comes later has time",
            gates(),
            whole(),
            vec![
                (10, "f1", "", "", "serve canary"),
                (10, "f1", "", "", "serve fleet"),
                (11, "f1", "f1", "", "wait"),
                (71, "f1", "f1", "", "finish"),
            ],
        ),
        (
            "one has it and is gone",
            gates(),
            whole(),
            vec![
                (10, all, "", "", "serve canary"),
                (12, all, "c1 c2", "", "wait"),
                (80, "c1", "c1", "", "wait"),
                (191, "c1", "c1", "", "wait"),
                (
                    192,
                    "c1",
                    "c1",
                    "",
                    "return NotAcknowledged: wave `canary`: 1 of 2 proxies hold it after 3m0s, 100 % must: c2",
                ),
            ],
        ),
    ];
    play_all(cases);
}

#[test]
fn a_wave_that_nobody_is_in_is_passed_through_and_a_pause_holds() {
    let start = Instant::now();
    let none = plan(&[("canary", ""), ("early", ""), ("fleet", "f1")]);
    let quick = Gates {
        bake: Duration::ZERO,
        ..gates()
    };
    let steps = [
        (0, "f1", "", "", "serve fleet"),
        (1, "f1", "f1", "", "finish"),
    ];
    play(Machine::new(quick.clone(), none, start), start, &steps);

    let mut machine = Machine::new(quick, whole(), start);
    machine.paused = true;
    let mut machine = play(machine, start, &[(5, "c1", "", "", "wait")]);
    machine.paused = false;
    let mut machine = play(machine, start, &[(6, "c1", "", "", "serve canary")]);
    machine.paused = true;
    let refused = "return Rejected: wave `canary`: 1 proxies refused it, at most 0 may: c1: no";
    play(
        machine,
        start,
        &[(7, "c1", "c1", "", "wait"), (8, "c1", "", "c1", refused)],
    );
}

#[test]
fn a_restart_begins_the_wave_again_with_those_who_are_there() {
    let start = Instant::now();
    let machine = Machine::new(gates(), whole(), start);
    let mut machine = machine.resumed(Some("canary"), false);
    assert_eq!(machine.moved(), &set("c1 c2"));
    machine.expect(&set("c1 f1"));
    let steps = [
        (0, "c1 f1", "", "", "wait"),
        (1, "c1 f1", "c1", "", "wait"),
        (61, "c1 f1", "c1", "", "serve fleet"),
    ];
    play(machine, start, &steps);
    // The wave is not declared any more.
    let machine = Machine::new(gates(), whole(), start).resumed(Some("early"), true);
    assert!(machine.moved().is_empty() && machine.paused && machine.wave().is_none());
}

#[test]
fn whoever_leads_proposes_and_whoever_follows_only_takes_back() {
    let start = Instant::now();
    let mut gates = gates();
    gates.bake = Duration::ZERO;
    let everybody = "c1 c2 f1 f2 f3 f4";
    let mut leader = Machine::new(gates.clone(), whole(), start);
    leader.plays(Role::Leads, start);
    // Nothing begins before the others know.
    let leader = play(
        leader,
        start,
        &[
            (0, everybody, "", "", "propose canary"),
            (1, everybody, "", "", "propose canary"),
        ],
    );
    assert!(leader.moved().is_empty());
    let mut follower = Machine::new(gates, whole(), start);
    follower.plays(Role::Follows, start);
    assert!(follower.agreed("canary", start, &set(everybody)));
    assert!(!follower.agreed("canary", start, &set(everybody)));
    assert!(!follower.agreed("unknown", start, &set(everybody)));
    // Whatever time passes, and whoever acknowledges.
    let mut follower = play(
        follower,
        start,
        &[
            (200, everybody, "", "", "wait"),
            (201, everybody, "c1 c2", "", "wait"),
        ],
    );
    // It takes over: the wave is watched from its beginning.
    follower.plays(Role::Leads, start + Duration::from_secs(202));
    let mut follower = play(
        follower,
        start,
        &[
            (203, everybody, "c1", "", "wait"),
            (204, everybody, "c1 c2", "", "propose fleet"),
        ],
    );
    follower.plays(Role::Follows, start + Duration::from_secs(205));
    let refused = "return Rejected: wave `canary`: 1 proxies refused it, at most 0 may: c1: no";
    play(follower, start, &[(206, everybody, "c2", "c1", refused)]);
}
