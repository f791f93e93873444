use bytes::Bytes;

use super::{Event, Misplaced, Step, Subscriber, Violation};
use crate::message::{FromProxy, ToProxy, Update};
use crate::publisher::{Publisher, Wanted};
use crate::tests::told::answered;
use crate::tests::world::{endpoints, received, service, wanted};

/// The frames that bring a new proxy there.
fn frames(world: &std::sync::Arc<Wanted>) -> Vec<ToProxy> {
    let mut publisher = Publisher::new(None, None);
    publisher.want(world.clone());
    std::iter::from_fn(|| publisher.next_message()).collect()
}

fn update(world: &Wanted, upserts: &[(&str, &str)]) -> Update {
    let upsert = |(key, content): &(&str, &str)| {
        (
            (*key).to_owned(),
            Bytes::copy_from_slice(content.as_bytes()),
        )
    };
    Update {
        revision: world.revision().to_owned(),
        root: world.root(),
        complete: true,
        upserts: upserts.iter().map(upsert).collect(),
        removals: Vec::new(),
        last: true,
    }
}

fn refusal(step: Result<Step, Violation>) -> String {
    match step {
        Ok(Step::Refuse(message)) => answered(&message),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_change_is_told_when_its_last_frame_is_there() {
    let big = "x".repeat(20_000);
    let world = wanted("c1", &[("proxy", &big), ("trust", "t")], &[]);
    let frames = frames(&world);
    assert_eq!(frames.len(), 2);
    let mut subscriber = Subscriber::new(None);
    let mut steps = frames
        .into_iter()
        .map(|frame| subscriber.receive(frame).unwrap());
    assert_eq!(steps.next(), Some(Step::Wait));
    let event = Event::Configuration(received(&world));
    assert_eq!(steps.next(), Some(Step::Tell(event)));
}

#[test]
fn what_does_not_add_up_to_its_root_is_refused_and_what_was_held_stays() {
    let held = wanted("c1", &[("proxy", "p")], &[]);
    let world = wanted("c2", &[("proxy", "q"), ("trust", "t")], &[]);
    let mut subscriber = Subscriber::new(Some(received(&held)));
    for upserts in [
        &[("proxy", "q")][..],
        &[("proxy", "q"), ("trust", "T")],
        &[("proxy", "q"), ("trust", "t"), ("inbound/x", "")],
        &[("trust", "q"), ("proxy", "t")],
        &[],
    ] {
        let step = subscriber.receive(ToProxy::Update(update(&world, upserts)));
        let refused = refusal(step);
        assert!(
            refused.starts_with("nack None: what arrived has root sha256:"),
            "{refused}"
        );
    }
    // A difference from what is held still works.
    let mut difference = update(&world, &[("proxy", "q"), ("trust", "t")]);
    difference.complete = false;
    let step = subscriber.receive(ToProxy::Update(difference)).unwrap();
    assert_eq!(step, Step::Tell(Event::Configuration(received(&world))));
}

#[test]
fn a_resource_of_a_newer_version_is_refused_by_its_name() {
    let world = wanted("c1", &[("proxy", "p")], &[]);
    let mut subscriber = Subscriber::new(None);
    let mut first = update(&world, &[("gadget/x", "g")]);
    first.last = false;
    assert_eq!(subscriber.receive(ToProxy::Update(first)), Ok(Step::Wait));
    let step = subscriber.receive(ToProxy::Update(update(&world, &[("proxy", "p")])));
    assert_eq!(
        refusal(step),
        "nack None: `gadget/x` is not a resource key that this version knows"
    );
}

#[test]
fn a_refused_change_leaves_the_base_alone() {
    let one = wanted("c1", &[("proxy", "1")], &[]);
    let two = wanted("c2", &[("proxy", "2")], &[]);
    let mut subscriber = Subscriber::new(Some(received(&one)));
    subscriber
        .receive(ToProxy::Update(update(&two, &[("proxy", "2")])))
        .unwrap();
    let nack = FromProxy::Nack {
        root: two.root(),
        key: None,
        pointer: String::new(),
        reason: String::new(),
    };
    assert_eq!(subscriber.send(&nack), Ok(()));
    assert_eq!(subscriber.hello("v").root, Some(one.root()));
    subscriber
        .receive(ToProxy::Update(update(&two, &[("proxy", "2")])))
        .unwrap();
    assert_eq!(
        subscriber.send(&FromProxy::Ack { root: two.root() }),
        Ok(())
    );
    assert_eq!(subscriber.hello("v").root, Some(two.root()));
}

#[test]
fn violations_end_the_session() {
    let one = wanted("c1", &[("proxy", "1")], &[]);
    let two = wanted("c2", &[("proxy", "2")], &[]);
    let frame = |world: &Wanted, change: fn(&mut Update)| {
        let mut update = update(world, &[]);
        change(&mut update);
        ToProxy::Update(update)
    };
    let part = |update: &mut Update| update.last = false;

    let mut subscriber = Subscriber::new(None);
    let baseless = frame(&one, |update| update.complete = false);
    assert_eq!(subscriber.receive(baseless), Err(Violation::Baseless));

    let mixing: [ToProxy; 3] = [
        frame(&two, |_| {}),
        frame(&one, |update| update.complete = false),
        frame(&one, |update| update.revision.clear()),
    ];
    for second in mixing {
        let mut subscriber = Subscriber::new(None);
        assert_eq!(subscriber.receive(frame(&one, part)), Ok(Step::Wait));
        assert_eq!(subscriber.receive(second), Err(Violation::Mixed));
    }

    let mut subscriber = Subscriber::new(None);
    subscriber
        .receive(ToProxy::Update(update(&one, &[("proxy", "1")])))
        .unwrap();
    let (offered, next) = (one.root(), two.root());
    let impatient = Violation::Impatient { offered, next };
    assert_eq!(subscriber.receive(frame(&two, part)), Err(impatient));
}

#[test]
fn answers_are_for_what_is_offered() {
    let world = wanted("c1", &[("proxy", "1")], &[]);
    let root = world.root();
    let mut subscriber = Subscriber::new(None);
    let ack = FromProxy::Ack { root };
    assert_eq!(subscriber.send(&ack), Err(Misplaced::NotOffered { root }));
    subscriber
        .receive(ToProxy::Update(update(&world, &[("proxy", "1")])))
        .unwrap();
    assert_eq!(subscriber.send(&ack), Ok(()));
    assert_eq!(subscriber.send(&ack), Err(Misplaced::NotOffered { root }));
    let hello = FromProxy::Hello(subscriber.hello("v"));
    assert_eq!(subscriber.send(&hello), Err(Misplaced::SecondHello));
}

#[test]
fn differences_of_endpoints_become_sets() {
    let mut publisher = Publisher::new(None, None);
    let mut subscriber = Subscriber::new(None);
    for names in ["a b", "b c", "tls", "", "d"] {
        publisher.want(wanted("c1", &[], &[("api", names)]));
        let message = publisher.next_message().unwrap();
        let step = subscriber.receive(message).unwrap();
        let event = Event::Endpoints {
            service: service("api"),
            endpoints: endpoints(names).as_ref().clone(),
        };
        assert_eq!(step, Step::Tell(event));
        while publisher.next_message().is_some() {}
    }
}
