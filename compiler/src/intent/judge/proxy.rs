//! A workload, through its own proxy.
//!
//! Never takes a missing outbound for a refusal: whoever goes around its proxy is asked about at the door as well.

use mesh_bundle::resource::WeightedBackend;
use mesh_bundle::{Kri, Origin};

use crate::flow::{Arrival, End, Fate, Flow, NoFlow, Reach, Route, Share};
use crate::kinds::mesh_test::Access;
use mesh_bundle::decide::Peer;

use super::super::plan::{Part, Way};
use super::{Judge, named, nothing};

impl<'b> Judge<'_, 'b> {
    pub(super) fn ask_proxy(&mut self, proxy: &Kri, port: &Kri) {
        let who = format!("`{}`", proxy.name());
        let asked = &self.test.asked;
        match self.flows.follow(proxy, port, asked) {
            Ok(flow) => self.judge(&who, port, &flow),
            Err(why) => self.without_flow(proxy, port, &why),
        }
    }

    /// There is no way through the proxy.
    fn without_flow(&mut self, proxy: &Kri, port: &Kri, why: &NoFlow) {
        let who = format!("`{}`", proxy.name());
        let wanted = &self.test.wanted;
        let asks_more = wanted.encrypted.is_some()
            || wanted.route.is_some()
            || wanted.retries.is_some()
            || wanted.rate.is_some()
            || wanted.timeout != Default::default();
        if asks_more || wanted.access == Some(Access::Allow) {
            return self.fail(nothing(why), Vec::new());
        }
        let arrivals = self.at_the_door(proxy, port);
        self.access(&who, port, &arrivals);
    }

    /// What the servers of a port say to the identity of a proxy.
    fn at_the_door(&self, proxy: &Kri, port: &Kri) -> Vec<Arrival<'b>> {
        let node = self.flows.node(proxy);
        let identity = node.and_then(|node| node.identity());
        let identity = identity.map(|identity| &identity.spiffe_id);
        let peer = identity.map(|id| Peer {
            identity: Some(id),
            sni: None,
        });
        let servers = self.flows.servers(port).iter();
        servers
            .map(|server| self.flows.arrival(server, peer.as_ref()))
            .collect()
    }

    fn judge(&mut self, who: &str, port: &Kri, flow: &Flow<'b>) {
        self.reached(who, port, flow);
        let arrivals = arrivals(flow);
        if self.test.wanted.rate.is_some() {
            if arrivals.is_empty() {
                let message = format!("nobody of the mesh is behind {}", named(port));
                self.fail(message, Vec::new());
            }
            let arrivals: Vec<Arrival<'b>> = arrivals.into_iter().cloned().collect();
            self.rate(who, port, &arrivals);
        }
        if let Some(wanted) = self.test.wanted.encrypted {
            self.encrypted(wanted, who, port, flow);
        }
        self.timeouts(who, flow);
        if let Some(wanted) = self.test.wanted.retries {
            self.retries(wanted, who, port, flow);
        }
        if self.test.wanted.route.is_some() {
            self.route(who, port, flow);
        }
    }

    fn reached(&mut self, who: &str, port: &Kri, flow: &Flow<'b>) {
        match self.test.wanted.access {
            None => {}
            Some(Access::Allow) => {
                self.decided([flow.origin()]);
                let shares = match &flow.fate {
                    Fate::Split(shares) => shares,
                    Fate::Redirected { status, location } => {
                        let message = format!(
                            "{who} is sent from {} to `{location}` ({status})",
                            named(port)
                        );
                        return self.fail(message, vec![flow.origin().clone()]);
                    }
                };
                for share in taken(shares) {
                    self.served(who, port, share);
                }
            }
            Some(Access::Deny) => {
                let proxy = flow.client.kri;
                let door = self.at_the_door(proxy, port);
                let elsewhere: Vec<Arrival<'b>> = arrivals(flow).into_iter().cloned().collect();
                let closed = |all: &[Arrival<'_>]| all.iter().all(|one| one.reach() == Reach::No);
                // Routes may lead to servers that are not behind this port.
                match !closed(&door) || (!door.is_empty() && closed(&elsewhere)) {
                    true => self.access(who, port, &door),
                    false => {
                        self.decided([flow.origin()]);
                        self.access(who, port, &elsewhere);
                    }
                }
            }
        }
    }

    /// Is this part of the traffic served?
    fn served(&mut self, who: &str, port: &Kri, share: &Share<'b>) {
        self.decided([&share.backend.origin]);
        match &share.end {
            End::Mesh {
                cluster, arrivals, ..
            } => self.access(who, &cluster.kri, arrivals),
            End::Outside { .. } if share.end.reach() == Reach::Yes => {}
            End::Outside { .. } => {
                let message = format!("{} has no address", named(port));
                self.fail(message, vec![share.backend.origin.clone()]);
            }
            End::Unresolved => {
                let message = format!("{} leads nowhere", share_words(share));
                self.fail(message, vec![share.backend.origin.clone()]);
            }
        }
    }

    fn encrypted(&mut self, wanted: bool, who: &str, port: &Kri, flow: &Flow<'b>) {
        for share in split(flow) {
            let tls = match &share.end {
                End::Mesh { tls, arrivals, .. } => {
                    let modes = arrivals
                        .iter()
                        .filter_map(|one| one.server.policy.tls.origin.as_ref());
                    self.decided(modes);
                    *tls
                }
                End::Outside { cluster } => cluster
                    .external
                    .as_ref()
                    .is_some_and(|out| out.tls.is_some()),
                End::Unresolved => continue,
            };
            if tls != wanted {
                let how = if tls { "TLS" } else { "plaintext" };
                let message = format!("{who} speaks {how} to {}", named(port));
                return self.fail(message, vec![share.backend.origin.clone()]);
            }
        }
    }

    fn timeouts(&mut self, who: &str, flow: &Flow<'b>) {
        let wanted = &self.test.wanted.timeout;
        let found = flow.timeouts();
        let http = wanted.http.clone().unwrap_or_default();
        let all = [
            ("idleTimeout", wanted.idle_timeout, &found.idle),
            ("requestTimeout", http.request_timeout, &found.request),
            (
                "streamIdleTimeout",
                http.stream_idle_timeout,
                &found.stream_idle,
            ),
            (
                "maxStreamDuration",
                http.max_stream_duration,
                &found.max_stream,
            ),
            (
                "maxConnectionDuration",
                http.max_connection_duration,
                &found.max_connection,
            ),
            (
                "requestHeadersTimeout",
                http.request_headers_timeout,
                &found.request_headers,
            ),
        ];
        for (name, wanted, found) in all {
            self.limit(who, name, wanted.map(|span| span.0), found);
        }
        let connect = wanted.connection_timeout.map(|span| span.0);
        for share in split(flow) {
            if let End::Mesh { cluster, .. } | End::Outside { cluster } = &share.end {
                self.limit(who, "connectionTimeout", connect, &cluster.connect_timeout);
            }
        }
    }

    fn retries(&mut self, wanted: u32, who: &str, port: &Kri, flow: &Flow<'b>) {
        let (found, origin): (u32, Option<&Origin>) = match (&flow.route, flow.retry()) {
            (Route::Http { .. }, Some(retry)) => {
                let methods = &retry.retry_on.value.methods;
                let own = methods.is_empty() || methods.contains(&self.test.asked.method);
                match own {
                    true => (retry.num_retries.value, retry.num_retries.origin.as_ref()),
                    false => (0, retry.retry_on.origin.as_ref()),
                }
            }
            (Route::Tcp { .. }, _) => flow.attempts().map_or((0, None), |retry| {
                let attempts = &retry.max_connect_attempts;
                (attempts.value.saturating_sub(1), attempts.origin.as_ref())
            }),
            (Route::Http { .. }, None) => (0, None),
        };
        self.decided(origin);
        if found != wanted {
            let message = format!(
                "{who} tries {} again up to {found} times, not {wanted}",
                named(port)
            );
            self.fail(message, origin.cloned().into_iter().collect());
        }
    }

    fn route(&mut self, who: &str, port: &Kri, flow: &Flow<'b>) {
        self.decided([flow.origin()]);
        let test = self.test;
        let because = vec![flow.origin().clone()];
        let asked = &test.asked;
        match (&test.wanted.route, &flow.fate) {
            (Some(Way::Back(wanted)), Fate::Redirected { status, .. }) => {
                if u32::from(*status) != *wanted {
                    let message =
                        format!("`{asked}` of {who} is redirected with {status}, not {wanted}");
                    self.fail(message, because);
                }
            }
            (Some(Way::To(_)), Fate::Redirected { status, location }) => {
                let message =
                    format!("`{asked}` of {who} is redirected to `{location}` ({status})");
                self.fail(message, because);
            }
            (Some(Way::Back(_)), Fate::Split(_)) => {
                let message = format!("`{asked}` of {who} to {} is not redirected", named(port));
                self.fail(message, because);
            }
            (Some(Way::To(wanted)), Fate::Split(shares)) => {
                self.shares(who, wanted, shares, flow.origin());
            }
            (None, _) => {}
        }
    }

    /// Does each part go where it should, and none elsewhere?
    fn shares(&mut self, who: &str, wanted: &[Part], shares: &[Share<'b>], rule: &Origin) {
        let asked = &self.test.asked;
        let mut found: Vec<u64> = vec![0; wanted.len()];
        for share in taken(shares) {
            self.decided([&share.backend.origin]);
            let cluster = share.backend.cluster.as_ref();
            let place = wanted
                .iter()
                .position(|part| cluster.is_some_and(|cluster| part.ports.contains(cluster)));
            match place.and_then(|place| found.get_mut(place)) {
                Some(found) => {
                    *found = found.saturating_add(parts_per_million(share.backend, share.of));
                }
                None => {
                    let message = format!(
                        "{} of `{asked}` of {who} goes to {}",
                        percent(parts_per_million(share.backend, share.of)),
                        share_words(share)
                    );
                    self.fail(message, vec![share.backend.origin.clone()]);
                }
            }
        }
        for (part, found) in wanted.iter().zip(found) {
            // Shares of weights are not whole millionths.
            if found.abs_diff(part.parts_per_million.into()) > 1 {
                let message = format!(
                    "{} of `{asked}` of {who} goes to `{}`, not {}",
                    percent(found),
                    part.called,
                    percent(part.parts_per_million.into())
                );
                self.fail(message, vec![rule.clone()]);
            }
        }
    }
}

fn split<'f, 'b>(flow: &'f Flow<'b>) -> impl Iterator<Item = &'f Share<'b>> {
    let shares = match &flow.fate {
        Fate::Split(shares) => shares.as_slice(),
        Fate::Redirected { .. } => &[],
    };
    taken(shares)
}

fn taken<'f, 'b>(shares: &'f [Share<'b>]) -> impl Iterator<Item = &'f Share<'b>> {
    shares.iter().filter(|share| share.backend.weight > 0)
}

fn arrivals<'f, 'b>(flow: &'f Flow<'b>) -> Vec<&'f Arrival<'b>> {
    let ends = split(flow).map(|share| match &share.end {
        End::Mesh { arrivals, .. } => arrivals.as_slice(),
        End::Outside { .. } | End::Unresolved => &[],
    });
    ends.flatten().collect()
}

fn parts_per_million(backend: &WeightedBackend, of: u64) -> u64 {
    let parts = u64::from(backend.weight).saturating_mul(1_000_000);
    parts.checked_div(of).unwrap_or(0)
}

fn percent(parts_per_million: u64) -> String {
    let (whole, rest) = (parts_per_million / 10_000, parts_per_million % 10_000);
    match rest {
        0 => format!("{whole} %"),
        rest => {
            let digits = format!("{rest:04}");
            format!("{whole}.{} %", digits.trim_end_matches('0'))
        }
    }
}

fn share_words(share: &Share<'_>) -> String {
    match &share.backend.cluster {
        Some(cluster) => named(cluster),
        None => "a reference that leads nowhere".to_owned(),
    }
}
