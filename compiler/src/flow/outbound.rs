//! A request at the proxy of its client: which rule, what is done to it, who is sent it.
//!
//! Never rolls: a split is answered as a whole.

use std::net::SocketAddr;

use mesh_bundle::Kri;
use mesh_bundle::decide::{CompiledRoute, Peer, Request, location, rewrite_path, speaks_tls};
use mesh_bundle::resource::{Destination, Filter, HttpRoute, Outbound, Traffic, WeightedBackend};

use super::asked::Normal;
use super::{Asked, End, Entrance, Fate, Flow, Flows, Mismatch, NoFlow, Node, Route, Share};

impl<'b> Flows<'b> {
    /// Follows a request of a client to a service port; where connections are routed, the request does not matter.
    ///
    /// # Errors
    /// See [`NoFlow`].
    pub fn follow(&self, client: &Kri, port: &Kri, asked: &Asked) -> Result<Flow<'b>, NoFlow> {
        let node = self.node(client);
        let node = node.ok_or_else(|| NoFlow::NoProxy(Box::new(client.clone())))?;
        let found = node.outbound(port).zip(node.destination(port));
        let Some((outbound, (digest, destination))) = found else {
            let (client, port) = (Box::new(client.clone()), Box::new(port.clone()));
            return Err(NoFlow::NoOutbound { client, port });
        };
        let (route, fate) = match &destination.traffic {
            Traffic::Tcp { route } => {
                let split = self.split(node, &route.backends);
                (Route::Tcp { taken: route }, Fate::Split(split))
            }
            Traffic::Http { routes } => {
                let table = self
                    .routes(digest, destination)
                    .map_err(NoFlow::BadPattern)?;
                let routed = asked.normal(|normal| routed(table.routes(), routes, normal));
                let found = routed.map_err(NoFlow::BadPath)?;
                match found {
                    Some((route, taken)) => (route, self.fate(node, outbound, taken, asked)),
                    // The last rule is about every request.
                    None => return Err(no_route(destination)),
                }
            }
        };
        Ok(Flow {
            client: node,
            outbound,
            destination,
            digest,
            route,
            fate,
        })
    }

    /// Applies the filters in their order.
    fn fate(
        &self,
        node: Node<'b>,
        outbound: &Outbound,
        route: &'b HttpRoute,
        asked: &Asked,
    ) -> Fate<'b> {
        let prefix = matched_prefix(route);
        let mut path = asked.path.clone();
        // Every request has a host: where nobody says another one, what the client connects to.
        let listener = || SocketAddr::new(outbound.address, outbound.port).to_string();
        let mut authority = asked.headers.get("host").cloned().unwrap_or_else(listener);
        for filter in &route.filters {
            match filter {
                Filter::Rewrite(rewrite) => {
                    if let Some(name) = &rewrite.hostname {
                        authority.clone_from(name);
                    }
                    if let Some(rewrite) = &rewrite.path {
                        path = rewrite_path(rewrite, &path, prefix);
                    }
                }
                Filter::Redirect(redirect) => {
                    let query = asked.query.as_deref();
                    return Fate::Redirected {
                        status: redirect.status,
                        location: location(redirect, "http", &authority, &path, query, prefix),
                    };
                }
                Filter::RequestHeaders(_) | Filter::ResponseHeaders(_) | Filter::Mirror(_) => {}
            }
        }
        Fate::Split(self.split(node, &route.backends))
    }

    fn split(&self, node: Node<'b>, backends: &'b [WeightedBackend]) -> Vec<Share<'b>> {
        let of: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
        let share = |backend: &'b WeightedBackend| Share {
            backend,
            of,
            end: self.end(node, backend),
        };
        match of {
            0 => Vec::new(),
            _ => backends.iter().map(share).collect(),
        }
    }

    fn end(&self, node: Node<'b>, backend: &'b WeightedBackend) -> End<'b> {
        let found = backend.cluster.as_ref();
        let found = found.and_then(|port| Some((port, node.cluster(port)?.1)));
        let Some((port, cluster)) = found else {
            return End::Unresolved;
        };
        if cluster.external.is_some() {
            return End::Outside { cluster };
        }
        let own = node.identity();
        let tls = speaks_tls(own.is_some(), self.is_tls_ready(port));
        let peer = Peer {
            identity: own.map(|own| &own.spiffe_id),
            // A proxy of ours never says which server it wants.
            sni: None,
        };
        let arrivals = self.servers(port).iter().map(|server| {
            let mut arrival = self.arrival(server, tls.then_some(&peer));
            let server = server.node.identity().map(|server| &server.spiffe_id);
            let known =
                server.is_some_and(|id| cluster.identities.contains(id) && node.believes(id));
            if tls && !known {
                arrival.entrance = Entrance::ServerUnknown;
            }
            arrival
        });
        let arrivals = arrivals.collect();
        End::Mesh {
            cluster,
            tls,
            arrivals,
        }
    }
}

fn no_route(destination: &Destination) -> NoFlow {
    NoFlow::BadPattern(mesh_bundle::decide::BadPattern {
        pointer: "/traffic/routes".to_owned(),
        reason: format!("no route of `{}` is about the request", destination.kri),
    })
}

/// `compiled` and `routes` are the same, in the same order.
fn routed<'b>(
    compiled: &[CompiledRoute],
    routes: &'b [HttpRoute],
    request: Normal<'_>,
) -> Option<(Route<'b>, &'b HttpRoute)> {
    let position = compiled.iter().position(|route| route.matches(&request))?;
    let taken = routes.get(position)?;
    let pairs = || compiled.iter().zip(routes);
    let passed = pairs().take(position).filter_map(|(compiled, route)| {
        let mismatch = mismatch(compiled, &request)?;
        Some((route, mismatch))
    });
    let late = pairs().skip(position + 1);
    let late = late.filter(|(compiled, _)| compiled.matches(&request));
    let route = Route::Http {
        position,
        taken,
        passed: passed.collect(),
        late: late.map(|(_, route)| route).collect(),
    };
    Some((route, taken))
}

/// Why a rule is not about a request.
fn mismatch(route: &CompiledRoute, request: &impl Request) -> Option<Mismatch> {
    let matches = &route.route.matches;
    if !route.holds_for_path(request.path()) {
        return Some(Mismatch::Path);
    }
    if !route.holds_for_method(request.method()) {
        return Some(Mismatch::Method);
    }
    let mut headers = matches.headers.iter().enumerate();
    let header = headers.find(|(place, rule)| {
        !route.holds_for_header(*place, request.header(&rule.name).as_deref())
    });
    if let Some((_, rule)) = header {
        return Some(Mismatch::Header(rule.name.clone()));
    }
    if route.matches(request) {
        return None;
    }
    // One of the parameters, then.
    let mut parameters = matches.query.iter().enumerate();
    let parameter = parameters.find(|(place, rule)| {
        let value = request
            .query()
            .and_then(|query| mesh_bundle::decide::parameter(query, &rule.name));
        !route.holds_for_parameter(*place, value.as_deref())
    });
    parameter.map(|(_, rule)| Mismatch::Parameter(rule.name.clone()))
}

/// What a prefix replacement replaces.
fn matched_prefix(route: &HttpRoute) -> Option<&str> {
    match &route.matches.path {
        Some(mesh_bundle::resource::PathMatch::Prefix(prefix)) => Some(prefix),
        _ => None,
    }
}
