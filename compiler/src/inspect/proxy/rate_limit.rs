//! How much an inbound lets in, for people.
//!
//! Never shows a limit that is none: what no policy sets is not limited, and nothing is said about it.

use mesh_bundle::resource::{HttpRateLimit, Rate, RateLimits, TcpRateLimit};
use mesh_bundle::{Key, Sourced};

use crate::inspect::words;
use crate::lower::rate_limit::header_words;

use super::Telling;

impl Telling<'_> {
    pub(super) fn rate_limits(&mut self, limits: &RateLimits, key: &Key) {
        self.limits((&limits.tcp, &limits.http), 1, key, "rateLimits");
        for (index, own) in limits.peers.iter().enumerate() {
            let title = format!("limits for {}", words::peer(&own.peer));
            self.page.line(1, &title);
            let place = format!("rateLimits/peers/{index}");
            self.limits((&own.tcp, &own.http), 2, key, &place);
        }
    }

    fn limits(
        &mut self,
        (tcp, http): (&Option<TcpRateLimit>, &Option<Box<HttpRateLimit>>),
        depth: usize,
        key: &Key,
        place: &str,
    ) {
        if let Some(tcp) = tcp {
            self.connection_limit(tcp, depth, key, place);
        }
        if let Some(http) = http {
            self.request_limit(http, depth, key, place);
        }
    }

    /// How many connections. `place` is that of the limits in the resource.
    pub(in crate::inspect) fn connection_limit(
        &mut self,
        tcp: &TcpRateLimit,
        depth: usize,
        key: &Key,
        place: &str,
    ) {
        let place = format!("{place}/tcp");
        let parts = (&tcp.disabled, &tcp.rate);
        self.rate("connections", parts, depth, key, &place);
    }

    /// How many requests. `place` is that of the limits in the resource.
    pub(in crate::inspect) fn request_limit(
        &mut self,
        http: &HttpRateLimit,
        depth: usize,
        key: &Key,
        place: &str,
    ) {
        let place = format!("{place}/http");
        self.rate("requests", (&http.disabled, &http.rate), depth, key, &place);
        if http.limit().is_none() {
            return;
        }
        let status = format!("{place}/status");
        self.value(depth, "too many", &http.status, key, &status);
        for (name, field, headers) in [
            ("set header", "setHeaders", &http.set_headers),
            ("add header", "addHeaders", &http.add_headers),
        ] {
            if let Some(headers) = headers {
                let value = Sourced {
                    value: header_words(&headers.value),
                    origin: headers.origin.clone(),
                };
                self.value(depth, name, &value, key, &format!("{place}/{field}"));
            }
        }
    }

    fn rate(
        &mut self,
        name: &str,
        (disabled, rate): (&Sourced<bool>, &Option<Rate>),
        depth: usize,
        key: &Key,
        place: &str,
    ) {
        if disabled.value {
            let value = Sourced {
                value: "without limit",
                origin: disabled.origin.clone(),
            };
            return self.value(depth, name, &value, key, &format!("{place}/disabled"));
        }
        if let Some(Rate { num, interval }) = rate {
            self.value(depth, name, num, key, &format!("{place}/rate/num"));
            let interval_at = format!("{place}/rate/interval");
            self.value(depth, "in every", interval, key, &interval_at);
        }
    }
}
