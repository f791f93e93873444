use super::*;

const NOW: u64 = 1_800_000_000;

struct Desk {
    directory: tempfile::TempDir,
    state: Arc<StateDir>,
    tokens: Tokens,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(directory.path()).unwrap());
        Self {
            directory,
            tokens: Tokens::new(Arc::clone(&state)),
            state,
        }
    }

    fn token(&self, uses: u32) -> String {
        let order = Order {
            mesh: "shop".to_owned(),
            bound: Bound::Workload("web".to_owned()),
            ttl: Duration::from_secs(60),
            uses,
        };
        // As the command does: beside the running one.
        let beside = StateDir::beside(self.directory.path()).unwrap();
        let token = create(&beside, Digest::of(b"pin"), order, NOW).unwrap();
        token.to_string()
    }

    fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

fn key(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

#[test]
fn a_token_says_what_it_is_good_for_and_hides_its_secret() {
    let desk = Desk::new();
    let token = desk.token(1);
    let record = desk.tokens().check(&token, key("a"), NOW).unwrap();
    assert_eq!(record.mesh, "shop");
    assert_eq!(record.bound, Bound::Workload("web".to_owned()));
    let json = URL_SAFE_NO_PAD
        .decode(token.strip_prefix("mesh1.").unwrap())
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["pin"], Digest::of(b"pin").to_string());
    let secret = json["secret"].as_str().unwrap();
    let file = desk.state.path(&file(&record.id));
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(!kept.contains(secret));
    assert!(!format!("{record:?}").contains(secret));
}

#[test]
fn uses_are_counted_and_a_lost_answer_costs_none() {
    let desk = Desk::new();
    let token = desk.token(2);
    let tokens = desk.tokens();
    let spend = |name: &str| tokens.spend(&token, key(name), NOW);
    assert_eq!(spend("a"), Ok(()));
    assert_eq!(spend("a"), Ok(()));
    assert_eq!(spend("b"), Ok(()));
    assert_eq!(spend("c"), Err(Refused::Used));
    assert_eq!(spend("b"), Ok(()));
    let again = Tokens::new(Arc::clone(&desk.state));
    assert_eq!(again.spend(&token, key("c"), NOW), Err(Refused::Used));
}

#[test]
fn a_token_shown_by_many_at_once_is_spent_once() {
    let desk = Desk::new();
    let token = desk.token(1);
    let spent = std::thread::scope(|scope| {
        let spend = |number: usize| {
            let (tokens, token) = (desk.tokens(), &token);
            scope.spawn(move || tokens.spend(token, key(&number.to_string()), NOW).is_ok())
        };
        let threads: Vec<_> = (0..8).map(spend).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.filter(|spent| *spent).count()
    });
    assert_eq!(spent, 1);
}

#[test]
fn tokens_that_are_refused() {
    let desk = Desk::new();
    let token = desk.token(1);
    let other = desk.token(1);
    let tokens = desk.tokens();
    let decode = |token: &str| -> serde_json::Value {
        let bytes = URL_SAFE_NO_PAD
            .decode(token.strip_prefix(PREFIX).unwrap())
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let with = |field: &str, value: &str| {
        let mut json = decode(&token);
        json[field] = value.into();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json.to_string()))
    };
    let other_secret = decode(&other)["secret"].as_str().unwrap().to_owned();
    for (token, expected) in [
        (String::new(), Refused::Malformed),
        ("mesh1.".to_owned(), Refused::Malformed),
        ("mesh2.abc".to_owned(), Refused::Malformed),
        (format!("mesh1.{}", "A".repeat(5_000)), Refused::Malformed),
        (with("id", "../../control"), Refused::Malformed),
        (with("id", &"0".repeat(32)), Refused::Unknown),
        (with("secret", "guess"), Refused::Unknown),
        (with("secret", &other_secret), Refused::Unknown),
    ] {
        assert_eq!(
            tokens.check(&token, key("a"), NOW),
            Err(expected),
            "{token}"
        );
    }
    let late = tokens.check(&token, key("a"), NOW + 60);
    assert_eq!(late, Err(Refused::Expired));
    let id = decode(&token)["id"].as_str().unwrap().to_owned();
    assert!(revoke(&desk.state, &id).unwrap());
    assert!(!revoke(&desk.state, &id).unwrap());
    assert!(!revoke(&desk.state, "../lock").unwrap());
    assert_eq!(tokens.check(&token, key("a"), NOW), Err(Refused::Unknown));
}

#[test]
fn expired_tokens_are_cleared_away() {
    let desk = Desk::new();
    desk.token(1);
    desk.tokens().prune(NOW + 59).unwrap();
    assert_eq!(list(&desk.state).unwrap().len(), 1);
    desk.tokens().prune(NOW + 60).unwrap();
    assert_eq!(list(&desk.state).unwrap(), []);
}
