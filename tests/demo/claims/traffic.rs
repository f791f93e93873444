//! Claims about traffic as it is: who speaks to whom, over what, and how much of it.
//!
//! Never trusts the proxies alone: it knocks at them with bad papers, and looks at the wire where it may.

use mesh_tests::{Answer, Capture, Client, Line, Load, Mesh, Probe, request};

use super::{Proof, show_failures, show_share};

/// Readable where nothing is encrypted, and nowhere else.
const MARKER: &str = "order-4711-for-ms-lovelace";

pub(super) async fn mutual_tls(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let capture = Capture::start();
    let answer = mesh.client("web-1", "api").get(&format!("/{MARKER}")).await;
    show_answer(&mut proof, &answer);
    reports(mesh, answer.by(), &mut proof).await;
    let api = mesh.inbound(answer.by());
    match capture {
        Ok(capture) => {
            let seen = capture.stop();
            let web = mesh.outbound("web-1", "api");
            proof.show(
                seen.shows(web, MARKER),
                format!("on the wire from web to its own proxy ({web}): the request, readable"),
            );
            match seen.only_tls(api) {
                Ok(records) => proof.show(
                    records > 0 && !seen.shows(api, MARKER),
                    format!("on the wire between the proxies ({api}): {records} TLS records, {} bytes, nothing else", seen.bytes(api)),
                ),
                Err(other) => proof.show(false, format!("on the wire between the proxies: {other}")),
            }
        }
        Err(error) => proof.note(format!(
            "the wire was not looked at, which takes root: {error}"
        )),
    }
    knocks(mesh, &mut proof).await;
    proof
}

fn show_answer(proof: &mut Proof, answer: &Answer) {
    let received = answer.json();
    let host = received
        .pointer("/headers/host")
        .cloned()
        .unwrap_or_default();
    proof.show(
        answer.status == 200 && answer.by().starts_with("api-"),
        format!(
            "plain HTTP from web's workload: {} by {}, which received plain HTTP for {host}",
            answer.status,
            answer.by()
        ),
    );
}

/// What both ends say of their connection, and whether they say the same.
async fn reports(mesh: &Mesh, server: &str, proof: &mut Proof) {
    let log = mesh.proxy("web-1").log();
    let web = log
        .says(0, "connection", &[("direction", "outbound")])
        .await;
    let log = mesh.proxy(server).log();
    let api = log.says(0, "connection", &[("direction", "inbound")]).await;
    let show = |name: &str, line: &Line| {
        format!(
            "{name} says: {} {}, it is {}, its peer is {}",
            line.field("tls_version"),
            line.field("cipher"),
            line.field("local_id"),
            line.field("peer_id")
        )
    };
    let tls13 = |line: &Line| line.field("tls_version").replace('_', ".").contains("1.3");
    let named = |line: &Line| line.field("peer_id").starts_with("spiffe://");
    proof.show(tls13(&web) && named(&web), show("web-1", &web));
    proof.show(tls13(&api) && named(&api), show(server, &api));
    let agree = web.field("peer_id") == api.field("local_id")
        && web.field("local_id") == api.field("peer_id")
        && web.field("cipher") == api.field("cipher");
    if !agree {
        proof.show(false, "they do not say the same");
    }
}

/// Strangers at the inbound of the API.
async fn knocks(mesh: &Mesh, proof: &mut Proof) {
    let api = mesh.inbound("api-1");
    let arrived = mesh.workload("api-1").arrived();
    let mark = mesh.proxy("api-1").log().mark();
    let plain = Client::http1(api).try_send(request("GET", "/", "")).await;
    let plain = plain.map(|answer| answer.status.to_string());
    show_refusal(mesh, mark, proof, "plaintext", plain).await;
    let mark = mesh.proxy("api-1").log().mark();
    let knock = Probe::at(api).knock().await;
    let presented = knock.presented.join(" ");
    let what = "TLS 1.3 without a certificate";
    show_refusal(mesh, mark, proof, what, knock.outcome).await;
    let mark = mesh.proxy("api-1").log().mark();
    let knock = Probe::at(api).only_tls12().knock().await;
    show_refusal(mesh, mark, proof, "TLS 1.2", knock.outcome).await;
    proof.show(
        mesh.workload("api-1").arrived() == arrived,
        format!("nothing of that reached the workload; the proxy showed itself as {presented}"),
    );
}

async fn show_refusal(
    mesh: &Mesh,
    mark: usize,
    proof: &mut Proof,
    what: &str,
    outcome: Result<String, String>,
) {
    if let Ok(answer) = outcome {
        return proof.show(
            false,
            format!("{what} to the API's inbound: answered, {answer}"),
        );
    }
    let line = mesh.proxy("api-1").log().says(mark, "refused", &[]).await;
    let (refusal, reason) = (line.field("refusal"), line.field("reason"));
    proof.show(
        true,
        format!("{what} to the API's inbound: refused, {refusal} ({reason})"),
    );
}

pub(super) async fn refusal(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let servers = ["api-1", "api-2"];
    let marks = servers.map(|name| mesh.proxy(name).log().mark());
    let answer = mesh.client("outsider-1", "api").get("/").await;
    proof.show(
        answer.status == 403 && answer.by().is_empty(),
        format!(
            "the outsider's request: {} {}",
            answer.status,
            answer.text().trim()
        ),
    );
    let [first, second] = servers.map(|name| mesh.proxy(name).log());
    let [first_mark, second_mark] = marks;
    let line = tokio::select! {
        line = first.says(first_mark, "refused", &[]) => line,
        line = second.says(second_mark, "refused", &[]) => line,
    };
    let origin = line.field("origin");
    let text = line_at(mesh, &origin);
    proof.show(
        text.is_some() && line.field("peer").ends_with("/outsider"),
        format!(
            "the API's proxy says: {}, peer {}, decided by {origin}",
            line.field("refusal"),
            line.field("peer")
        ),
    );
    proof.note(format!("{origin} is: {}", text.unwrap_or_default().trim()));
    proof
}

/// The text of `file:line` in the repository.
fn line_at(mesh: &Mesh, origin: &str) -> Option<String> {
    let (file, number) = origin.rsplit_once(':')?;
    let number: usize = number.parse().ok()?;
    let known = mesh.repo().files().iter().any(|known| known == file);
    let text = known.then(|| mesh.repo().read(file))?;
    text.lines().nth(number.checked_sub(1)?).map(str::to_owned)
}

pub(super) async fn split(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let load = Load::start(mesh.client("web-1", "api"), "/", 8);
    load.more(1_000).await;
    let tally = load.stop().await;
    show_failures(&mut proof, "at 90/10", &tally);
    show_share(&mut proof, &tally, 0.1);
    proof
}
