//! Who may speak to an inbound: only whoever proves, over TLS 1.3, exactly one identity of a trust domain that is trusted.

use mesh_tests::{Authority, Client, Identity, Knock, Mesh, Names, Options, Probe, request};

const WEB: &str = "spiffe://default.default.mesh.local/workload/web";
const BOSS: &str = "spiffe://default.default.mesh.local/workload/boss";
const FOREIGN: &str = "spiffe://other.test/workload/web";
const DOMAIN: &str = "default.default.mesh.local";

/// Nothing was answered, the workload heard nothing, and the proxy says why.
async fn assert_refused(mesh: &Mesh, what: &str, probe: Probe) {
    let (log, workload) = (mesh.proxy("api-1").log(), mesh.workload("api-1"));
    let (mark, arrived) = (log.mark(), workload.arrived());
    let knock = probe.knock().await;
    assert!(knock.refused(), "{what}: {knock:?}");
    let line = log.says(mark, "refused", &[]).await;
    for field in ["refusal", "reason", "remote"] {
        assert!(!line.field(field).is_empty(), "{what}: no {field}: {line}");
    }
    assert_eq!(workload.arrived(), arrived, "{what} reached the workload");
}

fn names(uris: &'static [&'static str]) -> Names<'static> {
    Names {
        uris,
        ..Names::default()
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .start()
        .await;
    let at = mesh.inbound("api-1");
    let stranger = Authority::new(DOMAIN);
    assert_refused(&mesh, "no certificate", Probe::at(at)).await;
    let forged = Identity::forged(&names(&[WEB]));
    assert_refused(&mesh, "a forged one", Probe::at(at).with(forged)).await;
    let foreign = stranger.issue(&names(&[WEB]));
    assert_refused(&mesh, "another authority", Probe::at(at).with(foreign)).await;
    let bytes = Probe::at(at)
        .with(stranger.issue(&names(&[WEB])))
        .speaking("mesh/tcp");
    assert_refused(&mesh, "another authority, bytes", bytes).await;
    let old = Probe::at(at)
        .with(stranger.issue(&names(&[WEB])))
        .only_tls12();
    assert_refused(&mesh, "TLS 1.2", old).await;
}

#[tokio::test]
async fn plaintext_is_refused_where_the_mesh_is_strict() {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .start()
        .await;
    let log = mesh.proxy("api-1").log();
    let mark = log.mark();
    let answer = Client::http1(mesh.inbound("api-1"))
        .try_send(request("GET", "/", ""))
        .await;
    assert!(answer.is_err(), "{answer:?}");
    let line = log.says(mark, "refused", &[]).await;
    assert!(!line.field("refusal").is_empty(), "{line}");
    assert_eq!(mesh.workload("api-1").arrived(), 0);
}

/// A mesh whose authority the test holds, so that it can sign what the mesh's own never would.
async fn with_authority(authority: &Authority) -> (Mesh, tempfile::TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let (certificate, key) = (keys.path().join("ca.crt"), keys.path().join("ca.key"));
    std::fs::write(&certificate, &authority.certificate).unwrap();
    std::fs::write(&key, &authority.key).unwrap();
    let ca = format!(
        "ca:\n        certificate: {{type: File, file: {{path: {}}}}}\n        privateKey: {{type: File, file: {{path: {}}}}}\n",
        certificate.display(),
        key.display()
    );
    let options = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .with(|repo| {
            repo.remove("api/canary.yaml");
            repo.replace("mesh.yaml", "autogenerate:\n        enabled: true\n", &ca);
        });
    (options.start().await, keys)
}

#[tokio::test]
async fn a_given_authority_is_used_and_vouches_for_nothing_but_good_identities() {
    let authority = Authority::new(DOMAIN);
    let (mesh, _keys) = with_authority(&authority).await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    let at = mesh.inbound("api-1");
    let good: Knock = Probe::at(at)
        .with(authority.issue(&names(&[WEB])))
        .knock()
        .await;
    let outcome = good.outcome.unwrap_or_default();
    assert!(
        outcome.starts_with("200"),
        "the control experiment: {outcome}"
    );

    let cases = [
        ("two identities", names(&[WEB, BOSS])),
        ("two identities, the other first", names(&[BOSS, WEB])),
        ("no identity", names(&[])),
        ("another trust domain", names(&[FOREIGN])),
        (
            "no SPIFFE ID",
            names(&["https://default.default.mesh.local/workload/web"]),
        ),
        (
            "a SPIFFE ID without a path",
            names(&["spiffe://default.default.mesh.local"]),
        ),
        (
            "one that ended",
            Names {
                expired: true,
                ..names(&[WEB])
            },
        ),
        (
            "an authority as a leaf",
            Names {
                ca: true,
                ..names(&[WEB])
            },
        ),
        (
            "a DNS name only",
            Names {
                dns: &["web.test"],
                ..names(&[])
            },
        ),
    ];
    for (what, names) in cases {
        assert_refused(&mesh, what, Probe::at(at).with(authority.issue(&names))).await;
    }
}
