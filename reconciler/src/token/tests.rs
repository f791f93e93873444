use std::sync::Arc;

use super::*;
use crate::state::StateDir;

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
        open(&state).unwrap();
        Self {
            directory,
            tokens: Tokens::new(Arc::clone(&state), Vec::new()),
            state,
        }
    }

    fn token(&self, uses: Option<u32>) -> String {
        // As the command does: beside the running one.
        let beside = StateDir::beside(self.directory.path()).unwrap();
        let issuer = open(&beside).unwrap();
        issuer.issue(pin(), order(uses), NOW).0.to_string()
    }

    fn check(&self, token: &str) -> Result<Grant, Refused> {
        self.tokens.check(token, key("a"), NOW)
    }

    fn spend(&self, token: &str, name: &str) -> Result<(), Refused> {
        let grant = self.tokens.check(token, key(name), NOW)?;
        self.tokens.spend(&grant, key(name), NOW)
    }
}

fn pin() -> Digest {
    Digest::of(b"pin")
}

fn scope() -> Scope {
    Scope {
        workload: Some("web".to_owned()),
        ..Scope::default()
    }
}

fn order(uses: Option<u32>) -> Order {
    Order {
        mesh: "shop".to_owned(),
        scope: scope(),
        ttl: Duration::from_secs(60),
        uses,
    }
}

fn key(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn claims(token: &str) -> serde_json::Value {
    let said = token
        .strip_prefix(PREFIX)
        .unwrap()
        .split_once('.')
        .unwrap()
        .0;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).unwrap()).unwrap()
}

/// Other claims under the same signature.
fn altered(token: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut json = claims(token);
    change(&mut json);
    let signature = token.rsplit_once('.').unwrap().1;
    format!(
        "{PREFIX}{}.{signature}",
        URL_SAFE_NO_PAD.encode(json.to_string())
    )
}

/// A good signature over whatever is claimed.
fn signed(desk: &Desk, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut json = claims(&desk.token(Some(1)));
    change(&mut json);
    let said = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json.to_string()));
    let signature = open(&desk.state).unwrap().sign(said.as_bytes());
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_says_itself_what_it_is_good_for() {
    let desk = Desk::new();
    let token = desk.token(Some(1));
    let grant = desk.check(&token).unwrap();
    assert_eq!((grant.mesh.as_str(), &grant.scope), ("shop", &scope()));
    assert_eq!(claims(&token)["pin"], pin().to_string());
    // Nobody has written anything down, and another meshd with the key knows it as well.
    assert_eq!(list(&desk.state).unwrap(), []);
    let other = tempfile::tempdir().unwrap();
    let other = Arc::new(StateDir::open(other.path()).unwrap());
    let elsewhere = Tokens::new(Arc::clone(&other), Vec::new());
    assert_eq!(
        elsewhere.check(&token, key("a"), NOW),
        Err(Refused::Unknown)
    );
    let file = desk.directory.path().join("exported.pem");
    let public = export(&desk.state, "", true).unwrap();
    std::fs::write(&file, public.as_bytes()).unwrap();
    assert!(!public.contains("PRIVATE"));
    let elsewhere = Tokens::new(other, vec![file]);
    assert_eq!(elsewhere.check(&token, key("a"), NOW), Ok(grant));
}

#[test]
fn tokens_are_made_elsewhere_with_the_key_alone() {
    let desk = Desk::new();
    let control = crate::ca::open_control(&desk.state, NOW).unwrap();
    let authority = crate::ca::pem(control.anchor().unwrap());
    let exported = export(&desk.state, &authority, false).unwrap();
    let file = desk.directory.path().join("elsewhere.pem");
    std::fs::write(&file, exported.as_bytes()).unwrap();
    let (issuer, pin) = Issuer::read(&file).unwrap();
    assert_eq!(pin, control.pin());
    let (token, grant) = issuer.issue(pin, order(Some(1)), NOW);
    assert_eq!(desk.check(&token), Ok(grant));
    assert!(!format!("{issuer:?}").contains("PRIVATE"));
    // Without the certificate nobody knows for whom they would be.
    let bare = export(&desk.state, "", false).unwrap();
    std::fs::write(&file, bare.as_bytes()).unwrap();
    let why = Issuer::read(&file).unwrap_err().to_string();
    assert!(why.contains("authority"), "{why}");
    std::fs::write(desk.state.path("token.key"), "garbage").unwrap();
    assert_eq!(desk.check(&token), Err(Refused::Unknown));
    let before = token;
    let after = desk.token(Some(1));
    desk.check(&after).unwrap();
    assert_eq!(desk.check(&before), Err(Refused::Unknown));
}

#[test]
fn uses_are_counted_and_a_lost_answer_costs_none() {
    let desk = Desk::new();
    let token = desk.token(Some(2));
    assert_eq!(desk.spend(&token, "a"), Ok(()));
    assert_eq!(desk.spend(&token, "a"), Ok(()));
    assert_eq!(desk.spend(&token, "b"), Ok(()));
    assert_eq!(desk.spend(&token, "c"), Err(Refused::Used));
    assert_eq!(desk.spend(&token, "b"), Ok(()));
    let again = Tokens::new(Arc::clone(&desk.state), Vec::new());
    assert_eq!(again.check(&token, key("c"), NOW), Err(Refused::Used));
    let listed = list(&desk.state).unwrap();
    assert_eq!(listed[0].uses_left(), Some(0));
    // At will: nothing is written down.
    let token = desk.token(None);
    for number in 0..100 {
        assert_eq!(desk.spend(&token, &number.to_string()), Ok(()));
    }
    assert_eq!(list(&desk.state).unwrap(), listed);
}

#[test]
fn a_token_shown_by_many_at_once_is_spent_once() {
    let desk = Desk::new();
    let token = desk.token(Some(1));
    let spent = std::thread::scope(|scope| {
        let spend = |number: usize| {
            let (desk, token) = (&desk, &token);
            scope.spawn(move || desk.spend(token, &number.to_string()).is_ok())
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
    let token = desk.token(Some(1));
    let other = Desk::new().token(Some(1));
    let (said, signature) = token.rsplit_once('.').unwrap();
    let foreign = other.rsplit_once('.').unwrap().1;
    for (token, expected) in [
        (String::new(), Refused::Malformed),
        ("mesh1.".to_owned(), Refused::Malformed),
        ("mesh1..".to_owned(), Refused::Unknown),
        (said.to_owned(), Refused::Malformed),
        (format!("{said}."), Refused::Unknown),
        (format!("{said}.{foreign}"), Refused::Unknown),
        (format!("{said}.{signature}x"), Refused::Malformed),
        (format!("mesh1.{}.a", "A".repeat(5_000)), Refused::Malformed),
        (token.replace("mesh1.", "mesh2."), Refused::Malformed),
        (other, Refused::Unknown),
        (
            altered(&token, |it| it["mesh"] = "other".into()),
            Refused::Unknown,
        ),
        (
            altered(&token, |it| it["uses"] = 9.into()),
            Refused::Unknown,
        ),
        (
            altered(&token, |it| it["expires"] = (NOW + 99_999).into()),
            Refused::Unknown,
        ),
        (
            altered(&token, |it| it["scope"]["workload"] = "api".into()),
            Refused::Unknown,
        ),
        // What a key of ours would never sign, and yet might have.
        (
            signed(&desk, |it| it["id"] = "../../control".into()),
            Refused::Malformed,
        ),
        (
            signed(&desk, |it| it["scope"] = serde_json::json!({})),
            Refused::Malformed,
        ),
        (
            signed(&desk, |it| it["extra"] = 1.into()),
            Refused::Malformed,
        ),
        (
            signed(&desk, |it| it["key"] = "00".into()),
            Refused::Malformed,
        ),
        (
            signed(&desk, |it| it["expires"] = (NOW * 2).into()),
            Refused::Malformed,
        ),
        (
            signed(&desk, |it| it["issued"] = (NOW + 301).into()),
            Refused::Early,
        ),
        (
            signed(&desk, |it| it["expires"] = NOW.into()),
            Refused::Expired,
        ),
    ] {
        assert_eq!(desk.check(&token), Err(expected), "{token}");
    }
    desk.check(&signed(&desk, |it| it["issued"] = (NOW + 300).into()))
        .unwrap();
    let late = desk.tokens.check(&token, key("a"), NOW + 60);
    assert_eq!(late, Err(Refused::Expired));
}

#[test]
fn a_revoked_token_stays_revoked_whoever_has_heard_of_it() {
    let desk = Desk::new();
    let token = desk.token(Some(3));
    let id = claims(&token)["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.spend(&token, "a"), Ok(()));
    assert!(revoke(&desk.state, &id, NOW).unwrap());
    assert_eq!(desk.check(&token), Err(Refused::Revoked));
    // Not for whoever has used it either.
    assert_eq!(desk.spend(&token, "a"), Err(Refused::Revoked));
    assert_eq!(list(&desk.state).unwrap(), []);
    assert!(!desk.tokens.is_revoked(&id));
    desk.tokens.look().unwrap();
    assert!(desk.tokens.is_revoked(&id));
    // For as long as any token may live, also where nothing else is known of it.
    desk.state.remove(&format!("tokens/{id}.json")).unwrap();
    let until = NOW + LONGEST.as_secs() + SKEW.as_secs();
    desk.tokens.prune(until - 1).unwrap();
    assert_eq!(desk.check(&token), Err(Refused::Revoked));
    desk.tokens.prune(until).unwrap();
    desk.tokens.look().unwrap();
    assert!(!desk.tokens.is_revoked(&id));
    let unheard = desk.token(Some(1));
    let id = claims(&unheard)["id"].as_str().unwrap().to_owned();
    assert!(!revoke(&desk.state, &id, NOW).unwrap());
    assert_eq!(desk.check(&unheard), Err(Refused::Revoked));
}

#[test]
fn expired_tokens_are_cleared_away() {
    let desk = Desk::new();
    let token = desk.token(Some(1));
    note(&desk.state, desk.check(&token).unwrap()).unwrap();
    desk.tokens.prune(NOW + 59).unwrap();
    assert_eq!(list(&desk.state).unwrap().len(), 1);
    desk.tokens.prune(NOW + 60).unwrap();
    assert_eq!(list(&desk.state).unwrap(), []);
}

#[test]
fn what_was_used_is_remembered_while_a_clock_is_ahead() {
    let desk = Desk::new();
    let token = desk.token(Some(1));
    desk.spend(&token, "a").unwrap();
    let expired = NOW + 60;
    let remembered = expired + REMEMBERED.as_secs();
    desk.tokens.prune(remembered - 1).unwrap();
    // The clock is right again.
    assert_eq!(desk.spend(&token, "b"), Err(Refused::Used));
    desk.tokens.prune(remembered).unwrap();
    assert_eq!(list(&desk.state).unwrap(), []);
}
