//! What a proxy meant when it refused a request: the header `x-mesh-refusal`, in words, with the line that it names.
//!
//! Never reads a file that is no document of the repository, whatever the header says.

use std::fmt::Write as _;

use mesh_bundle::RefusalNote;

use crate::world::{EntryKind, World};

/// A code of the header, what it means, and what to do about it.
const MEANINGS: [(&str, &str, &str); 36] = [
    (
        "bad-request",
        "the request is not HTTP, or two servers could read it differently",
        "mend the client",
    ),
    (
        "head-too-large",
        "the first line and the headers of the request are longer than 64 KiB",
        "send less: large cookies and tokens are the usual reason",
    ),
    (
        "bad-path",
        "the path of the request has no normal form, such as one with `%2f` or `%00`",
        "mend the client: send the path without escapes that hide its structure",
    ),
    (
        "transfer-encoding",
        "the request has a transfer encoding other than `chunked`",
        "mend the client",
    ),
    (
        "method",
        "CONNECT asks for a tunnel, and no route is for that",
        "connect to the service itself, or name the method in a route: `matches: [{method: CONNECT}]`",
    ),
    (
        "permission",
        "no MeshTrafficPermission permits this client, or one denies it",
        "`meshc explain --from CLIENT --to SERVICE` shows the smallest permission that would let it in",
    ),
    (
        "revoked",
        "a permission that held when the request began was taken away while it ran",
        "`meshc blame-edge CLIENT SERVICE` names the commit",
    ),
    (
        "fault",
        "a MeshFaultInjection aborted the request on purpose",
        "wait until the experiment is over, or remove the document",
    ),
    (
        "rate-limit",
        "a MeshRateLimit lets no more requests in for now",
        "send fewer, or raise the limit",
    ),
    (
        "no-route",
        "the service has MeshHTTPRoutes, and none of their matches fits the request",
        "`meshc explain --from CLIENT --to SERVICE METHOD PATH` shows each route and why it does not match",
    ),
    (
        "unresolved",
        "the backendRef of the route leads to no service",
        "mend the backendRef; `meshc check` tells which",
    ),
    (
        "withdrawn",
        "the listener was removed from the configuration while the connection was open",
        "connect again; the Dataplane says which ports there are",
    ),
    (
        "no-endpoint",
        "the service has no instance that is ready",
        "look whether its workloads run, and whether their proxies are connected to meshd",
    ),
    (
        "no-certificate",
        "the proxy has no valid certificate: it has not got one yet, or the one that it has is expired",
        "look whether the proxy reaches meshd (`/readyz` and the log of the proxy)",
    ),
    (
        "no-secret",
        "TLS with the external service needs a secret that the proxy has not been given",
        "look in the log of meshd for the Secret that the MeshExternalService names",
    ),
    (
        "connect",
        "no instance accepted a connection",
        "look whether the workload listens on the port that its Dataplane names",
    ),
    (
        "connect-timeout",
        "no instance accepted a connection within `connectionTimeout`",
        "look whether the network lets the connection pass",
    ),
    (
        "server-identity",
        "whoever answered is not the service: its certificate has another identity, or nobody trusted issued it",
        "look at the identities of the service with `meshc inspect . CLIENT`, and whether an address was given to somebody else",
    ),
    (
        "overflow",
        "a limit of MeshCircuitBreaker on connections or requests was reached",
        "find out why the service is slow, or raise the limit",
    ),
    (
        "unprocessed",
        "the instance said that it did not look at the request, and its body could not be sent again",
        "send it again",
    ),
    (
        "try-timeout",
        "each try took longer than `perTryTimeout`",
        "find out why the service is slow, or raise the timeout",
    ),
    (
        "closed",
        "the instance closed the connection before it answered",
        "look in the log of the workload; MeshRetry can send such requests again",
    ),
    (
        "bad-response",
        "what the instance answered is not HTTP, or no answer to the request",
        "look whether the protocol of the port is what the workload speaks",
    ),
    (
        "request-timeout",
        "the request took longer than `requestTimeout`",
        "find out why the service is slow, or raise the timeout",
    ),
    (
        "deadline",
        "the time was over that the client gave its call by `grpc-timeout`",
        "give calls more time, or find out what the service takes so long for",
    ),
    (
        "stream-idle",
        "nothing moved on the request for longer than `streamIdleTimeout`",
        "send something now and then, or raise the timeout",
    ),
    (
        "max-stream",
        "the request lived for longer than `maxStreamDuration`",
        "end it earlier, or raise the limit",
    ),
    (
        "connection-idle",
        "nothing happened on the connection for longer than `idleTimeout`",
        "connect again",
    ),
    (
        "draining",
        "the proxy is going away",
        "send it again; another instance takes it",
    ),
    (
        "handshake",
        "TLS is due here, and the client spoke none or broke it",
        "give the client a proxy of the mesh, or make the mode of MeshTLS `Permissive`",
    ),
    (
        "handshake-timeout",
        "the client was too slow to say what it wants",
        "look at the network between the two",
    ),
    (
        "peer-identity",
        "the certificate of the client is not valid here, is expired, or nobody trusted issued it",
        "look whether the proxy of the client reaches meshd, and whether a MeshTrust names its issuer",
    ),
    (
        "connection-limit",
        "the proxy has as many connections as it can hold",
        "spread the clients over more instances",
    ),
    (
        "passthrough",
        "the mesh knows nothing at this address, and a MeshPassthrough does not let the connection or request leave",
        "connect to a service of the mesh, or list the destination in `appendMatch`",
    ),
    (
        "not-captured",
        "the connection was made to the port for captured traffic itself",
        "connect to the service, and see that `mesh-proxy capture install` ran on this host",
    ),
    (
        "unclear-inbound",
        "several inbounds of the Dataplane listen on this port, and none at the address that was connected to",
        "connect to the address of one of them",
    ),
];

/// The codes that have a meaning.
pub fn refusals() -> impl Iterator<Item = &'static str> {
    MEANINGS.iter().map(|(code, ..)| *code)
}

/// What a note means, and what stands at the line that it names in `world`. `None`: nothing has this code.
pub fn refused(note: &RefusalNote, world: Option<&dyn World>) -> Option<String> {
    let (code, meaning, help) = MEANINGS.iter().find(|(code, ..)| *code == note.code)?;
    let mut text = format!("refused: {code}\n");
    let mut tell = |name: &str, value: &str| writeln!(text, "  {name:<13}{value}").ok();
    tell("what", meaning);
    for (name, value) in [
        ("inbound", &note.inbound),
        ("destination", &note.destination),
        ("policy", &note.policy),
        ("origin", &note.origin),
        ("revision", &note.revision),
    ] {
        if let Some(value) = value {
            tell(name, &visible(value));
        }
    }
    if let Some((file, number)) = note.line()
        && let Some(world) = world
    {
        match line(world, file, number) {
            Some(line) => tell(&number.to_string(), &format!("| {}", visible(&line))),
            None => tell(
                "",
                "(there is no such line here: the header is of another repository or revision)",
            ),
        };
    }
    tell("next", help);
    Some(text)
}

fn line(world: &dyn World, file: &str, number: u32) -> Option<String> {
    let entries = world.entries();
    let known = |kind: &EntryKind| matches!(kind, EntryKind::File { .. });
    entries
        .iter()
        .find(|entry| entry.path == file && known(&entry.kind))?;
    let text = String::from_utf8(world.read(file).ok()?).ok()?;
    let before = usize::try_from(number).ok()?.checked_sub(1)?;
    text.lines().nth(before).map(str::to_owned)
}

/// Nothing that a terminal would obey.
fn visible(text: &str) -> String {
    let shown = |char: char| match char.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => char,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::MemoryWorld;

    fn world() -> MemoryWorld {
        let files = [("api/permission.yaml".to_owned(), b"one\n  two\n".to_vec())];
        MemoryWorld {
            files: files.into(),
        }
    }

    fn told(text: &str) -> Option<String> {
        refused(&text.parse().unwrap(), Some(&world()))
    }

    #[test]
    fn the_line_is_shown_where_it_is() {
        let told =
            told("permission;policy=\"kri_mtp_default___api_\";origin=\"api/permission.yaml:2\"")
                .unwrap();
        assert!(told.contains("2            |   two\n"), "{told}");
        assert!(told.contains("kri_mtp_default___api_"), "{told}");
    }

    #[test]
    fn only_documents_of_the_repository_are_read() {
        for origin in [
            "../../etc/passwd:1",
            "/etc/passwd:1",
            "api/permission.yaml:9",
            "api:1",
        ] {
            let told = told(&format!("permission;origin=\"{origin}\"")).unwrap();
            assert!(told.contains("no such line here"), "{told}");
        }
    }

    #[test]
    fn an_unknown_code_means_nothing() {
        assert_eq!(told("permissions"), None);
    }
}
