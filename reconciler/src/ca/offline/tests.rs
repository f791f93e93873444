use super::*;
use crate::ca::SKEW;

const NOW: u64 = 1_800_000_000;
const YEAR: Duration = Duration::from_hours(365 * 24);
const NAME: &str = "kri_mid_shop___identity_";

fn domain() -> TrustDomain {
    "shop.example".parse().unwrap()
}

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    (directory, state)
}

fn kept(state: &StateDir) -> CertificateAuthority {
    let never = |_| panic!("an authority was made");
    kept::kept(state, NAME, NOW, never).unwrap()
}

#[test]
fn a_root_elsewhere_vouches_for_what_signs_here() {
    let (_directory, state) = state();
    let root = root(&domain(), None, 10 * YEAR, NOW).unwrap();
    let asked = request(&state, NAME).unwrap();
    // Asked again before there is an answer: the first answer still fits.
    assert_ne!(asked, "");
    let again = request(&state, NAME).unwrap();
    let chain = sign(root.as_bytes(), None, &again.into_bytes(), YEAR, NOW).unwrap();
    let installed = install(&state, NAME, chain.as_bytes(), NOW).unwrap();
    assert_eq!(installed.not_after, NOW + YEAR.as_secs());
    assert!(!installed.requested);

    let authority = kept(&state);
    let anchor = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
    assert_eq!(authority.anchor(), Some(&anchor));
    assert_eq!(installed.root, super::super::pin_of(&anchor));
    let id = "spiffe://shop.example/workload/web".parse().unwrap();
    let leaf = Request::read(&probe().unwrap().1).unwrap();
    let issued = authority
        .issue(&leaf, Name::Spiffe(&id), YEAR * 2, NOW)
        .unwrap();
    // The leaf and what is between it and the anchor, which is not sent.
    assert_eq!(issued.chain.len(), 2);
    assert_eq!(issued.not_after, NOW + YEAR.as_secs());
    let (first, between) = issued.chain.split_first().unwrap();
    tls::accepted(&anchor, first, between, NOW).unwrap();
    assert!(tls::accepted(&anchor, first, &[], NOW).is_err());
    let (_, own) = X509Certificate::from_der(&between[0]).unwrap();
    let constraints = own.basic_constraints().unwrap().unwrap().value;
    assert_eq!(constraints.path_len_constraint, Some(0));
    let early = own.validity().not_before.timestamp();
    assert_eq!(u64::try_from(early).unwrap(), NOW - SKEW.as_secs());

    // Its successor: another key, the same anchor.
    let asked = request(&state, NAME).unwrap();
    assert!(kept::list(&state).unwrap()[0].requested);
    let chain = sign(root.as_bytes(), None, asked.as_bytes(), 2 * YEAR, NOW).unwrap();
    install(&state, NAME, chain.as_bytes(), NOW).unwrap();
    assert_ne!(kept(&state).pin(), authority.pin());
    assert_eq!(kept(&state).anchor(), Some(&anchor));
}

#[test]
fn what_peers_would_not_accept_is_not_installed() {
    let (_directory, state) = state();
    let root = root(&domain(), None, YEAR, NOW).unwrap();
    let mine = |chain: &str| {
        let failure = install(&state, NAME, chain.as_bytes(), NOW).unwrap_err();
        failure.to_string()
    };
    let unasked = mine(&root);
    assert!(unasked.contains("meshd ca request"), "{unasked}");
    let asked = request(&state, NAME).unwrap();
    let chain = sign(root.as_bytes(), None, asked.as_bytes(), YEAR, NOW).unwrap();
    let other = "kri_mid_shop___other_";
    let another = request(&state, other).unwrap();
    let another = sign(root.as_bytes(), None, another.as_bytes(), YEAR, NOW).unwrap();
    let first = chain.split_inclusive("-----END CERTIFICATE-----\n").next();
    let short = sign(
        root.as_bytes(),
        None,
        asked.as_bytes(),
        YEAR / 2,
        NOW - YEAR.as_secs(),
    );
    // An authority of the root that itself may vouch for nobody.
    let deeper = {
        let (authority, pem) =
            CertificateAuthority::self_signed("a", None, (YEAR, 0), NOW).unwrap();
        drop(authority);
        let middle =
            Request::read(&CertificateSigningRequestDer::from_pem_slice(asked.as_bytes()).unwrap());
        let between = CertificateAuthority::from_pem(pem.as_bytes(), None).unwrap();
        let chain = between.vouch(&middle.unwrap().key, "b", YEAR, NOW).unwrap();
        chain.iter().map(super::pem).collect::<String>()
    };
    for (what, chain, expected) in [
        ("another key", another.as_str(), "do not belong together"),
        ("no root", first.unwrap(), "the root is missing"),
        ("nothing", "", "no PEM block"),
        ("the root alone", root.as_str(), "do not belong together"),
        ("one that has ended", &short.unwrap(), "has expired"),
    ] {
        let why = mine(chain);
        assert!(why.contains(expected), "{what}: {why}");
    }
    // Peers do not look at what an anchor says of its path: it is trusted by its key.
    assert!(install(&state, other, deeper.as_bytes(), NOW).is_err());
    assert_eq!(kept::list(&state).unwrap().len(), 0);
    install(&state, NAME, chain.as_bytes(), NOW).unwrap();
}

#[test]
fn keys_of_roots_and_requests_are_sealed_where_a_secret_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let seal = |word: &str| Seal::new(Zeroizing::new(word.to_owned()));
    let root = root(&domain(), Some(&seal("a")), YEAR, NOW).unwrap();
    assert!(!root.contains("PRIVATE KEY"));
    let state = StateDir::open(directory.path()).unwrap();
    let state = state.sealed_by(Some(seal("b")));
    let asked = request(&state, NAME).unwrap();
    for wrong in [None, Some(seal("b"))] {
        let refused = sign(root.as_bytes(), wrong.as_ref(), asked.as_bytes(), YEAR, NOW);
        assert!(refused.unwrap_err().to_string().contains("sealed"));
    }
    let chain = sign(
        root.as_bytes(),
        Some(&seal("a")),
        asked.as_bytes(),
        YEAR,
        NOW,
    );
    install(&state, NAME, chain.unwrap().as_bytes(), NOW).unwrap();
    for file in state.list("ca").unwrap() {
        let text = state.read(&format!("ca/{file}")).unwrap().unwrap();
        assert!(
            !String::from_utf8_lossy(&text).contains("PRIVATE KEY"),
            "{file}"
        );
    }
    assert_eq!(kept(&state).certificates().len(), 2);
}
