use super::*;

const WHOLE: &str = r#"
[[source]]
name = "platform"
repository = "https://git.example/mesh.git"
path = "prod"
semver = "^1.4"
tag-prefix = "mesh/"
poll = "30s"
allow-rewind = true
shallow = true
max-removed-percent = 20
ca = "ca.pem"
proxy = "http://proxy.example:3128"
auth = { username = "bot", password-file = "/run/secrets/git" }
webhook = { kind = "forgejo", secret-file = "hook" }

[source.report]
kind = "forgejo"
project = "team/mesh"
api = "https://git.example/api/v1/"
token-file = "forge"
target-url = "https://meshd.example"

[source.verify]
mode = "tag"
allowed-signers = "signers"

[[source]]
name = "team-pay"
repository = "repositories/pay"

[webhook]
listen = "127.0.0.1:5682"

[[notify]]
url = "http://127.0.0.1:9000/hook/"
secret-file = "secret"
severity = "error"
"#;

#[test]
fn everything_is_read_and_paths_begin_where_the_file_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("meshd.toml");
    std::fs::write(&file, WHOLE).unwrap();
    let settings = Settings::read(&file).unwrap();
    let [platform, pay] = settings.sources.as_slice() else {
        panic!("{settings:?}");
    };
    let range = Reference::Version {
        range: "^1.4".to_owned(),
        prefix: "mesh/".to_owned(),
    };
    assert_eq!(platform.reference, range);
    assert_eq!(platform.poll.as_secs(), 30);
    assert_eq!(platform.ca, Some(directory.path().join("ca.pem")));
    let secret = platform.auth.password_file.as_deref();
    assert_eq!(secret, Some(Path::new("/run/secrets/git")));
    let hook = platform.webhook.as_ref().unwrap();
    assert_eq!(
        (hook.kind, &hook.secret_file),
        (Scheme::Github, &directory.path().join("hook"))
    );
    let report = platform.report.as_ref().unwrap();
    assert_eq!(report.api(), "https://git.example/api/v1");
    assert_eq!(report.token_file, directory.path().join("forge"));
    let [notify] = settings.notify.as_slice() else {
        panic!("{settings:?}");
    };
    assert_eq!(notify.url.host(), "127.0.0.1:9000");
    assert_eq!(notify.secret_file, Some(directory.path().join("secret")));
    assert_eq!(notify.severity, Severity::Error);
    assert_eq!(pay.reference, Reference::Branch("main".to_owned()));
    let repository = directory.path().join("repositories/pay");
    assert_eq!(Path::new(&pay.repository), repository);
}

/// A source with this beside its name and repository.
fn source(more: &str) -> String {
    format!("[[source]]\nname = \"a\"\nrepository = \"/r\"\n{more}\n")
}

/// A source that tells a forge.
fn report(kind: &str, project: &str, more: &str) -> String {
    let report = format!("kind = \"{kind}\"\nproject = \"{project}\"\ntoken-file = \"t\"\n{more}");
    source("") + "[source.report]\n" + &report
}

/// A source that SSH reaches.
fn by_ssh(repository: &str, more: &str) -> String {
    source(more).replace("\"/r\"", &format!("\"{repository}\""))
}

/// A signer with this address.
fn signer(address: &str) -> String {
    format!(
        "[[signer]]\nmesh = \"m\"\nidentity = \"i\"\n[signer.vault]\naddress = \"{address}\"\nmount = \"pki\"\nrole = \"r\"\n"
    )
}

/// Each text is refused at this line, with these words.
fn refused(cases: &[(String, usize, &str)]) {
    for (text, line, said) in cases {
        let (place, message) = Settings::parse(text).unwrap_err();
        assert!(message.contains(said), "{text}\n{message}");
        let found = place.map_or(0, |(line, _)| line);
        assert_eq!(found, *line, "{text}\n{message}");
    }
}

#[test]
fn ways_to_others_that_cannot_be_are_refused_with_their_place() {
    refused(&[
        (
            source("ssh = { key = \"k\" }"),
            4,
            "missing field `known-hosts`",
        ),
        (
            source("ssh = { key = \"k\", known-hosts = \"h\" }"),
            1,
            "is not reached by SSH",
        ),
        (by_ssh("git@host:x", ""), 1, "needs `ssh"),
        (
            by_ssh("ssh://-oProxyCommand=x/y", ""),
            1,
            "no name of a host",
        ),
        (
            by_ssh("git@h:x", "ssh = { key = \"a%h\", known-hosts = \"h\" }"),
            1,
            "such a path has no",
        ),
        (report("github", "mesh", ""), 7, "is no project"),
        (report("github", "team/../mesh", ""), 7, "is no project"),
        (report("svn", "team/mesh", ""), 6, "unknown variant"),
        (report("gitea", "team/mesh", ""), 1, "no common address"),
        (
            report("gitea", "team/mesh", "api = \"http://forge.example\"\n"),
            9,
            "in the clear",
        ),
        (
            "[[notify]]\nurl = \"http://alerts.example\"".to_owned(),
            2,
            "in the clear",
        ),
        (
            "[[notify]]\nurl = \"https://a\"\nseverity = \"warn\"".to_owned(),
            3,
            "unknown variant",
        ),
    ]);
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    refused(&[
        ("port = 1".to_owned(), 1, "unknown field `port`"),
        ("x".to_owned(), 1, ""),
        (source("brnch = \"main\""), 4, "unknown field `brnch`"),
        (source("branch = \"main\"\ntag = \"v1\""), 1, "at most one"),
        (source("commit = \"abc\""), 1, "40 hex digits"),
        (source("semver = \"one\""), 1, "is no range"),
        (source("tag-prefix = \"v\""), 1, "goes with `semver`"),
        (source("ref = \"main\""), 1, "`refs/`"),
        (source("poll = \"0s\""), 1, "at least `1s`"),
        (source("poll = \"fast\""), 4, "invalid duration"),
        (source("timeout = \"2h\""), 1, "at most `30m`"),
        (source("shallow = true"), 1, "needs `allow-rewind = true`"),
        (source("max-removed-percent = 101"), 1, "at most 100"),
        (source("auth = { username = \"a\" }"), 1, "`username` needs"),
        (source("auth = { certificate = \"a\" }"), 1, "go together"),
        (
            source("verify = { mode = \"tag\", allowed-signers = \"a\" }"),
            1,
            "needs `tag`",
        ),
        (source("verify = { mode = \"head\" }"), 4, "allowed-signers"),
        (
            source("webhook = { kind = \"github\", secret-file = \"s\" }"),
            0,
            "`[webhook]`",
        ),
        (
            source("webhook = { kind = \"none\", secret-file = \"s\" }"),
            4,
            "unknown variant",
        ),
        (source("") + &source(""), 0, "two sources named `a`"),
        (
            "[[source]]\nname = \"A\"\nrepository = \"/r\"".to_owned(),
            2,
            "is no name",
        ),
        (signer("http://alerts.example"), 5, "in the clear"),
        (signer("ftp://127.0.0.1"), 5, "`https://`"),
        (signer("https://a:b@c"), 5, "user or password"),
    ]);
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let flaw = Settings::read(Path::new("/nowhere/meshd.toml")).unwrap_err();
    assert!(
        flaw.to_string().starts_with("/nowhere/meshd.toml: "),
        "{flaw}"
    );
}
