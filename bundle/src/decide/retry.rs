//! Whether a request is sent again, and after how long (language 5.4).
//!
//! Never counts tries: how many there were is an argument, and how many may be under way at once is not decided here.

use std::borrow::Cow;
use std::time::Duration;

use crate::origin::Sourced;
use crate::resource::HeaderMatch;
use crate::resource::retry::{
    BackOff, GrpcCode, RateLimitedBackOff, RequestRetry, ResetFormat, RetryCondition,
};

use super::text::Text;

/// When a request is sent again, its patterns ready to use.
#[derive(Debug, Clone)]
pub struct CompiledRetry {
    /// As the bundle has it.
    pub retry: RequestRetry,
    request_headers: Vec<(String, Text)>,
    response_headers: Vec<(String, Text)>,
}

impl CompiledRetry {
    /// Compiles the patterns over headers.
    ///
    /// # Errors
    /// JSON pointer into the [`RequestRetry`], and why what is there is no usable pattern.
    pub fn compile(retry: &RequestRetry) -> Result<Self, (String, String)> {
        Ok(Self {
            request_headers: patterns("requestHeaders", retry.request_headers.as_ref())?,
            response_headers: patterns("responseHeaders", retry.response_headers.as_ref())?,
            retry: retry.clone(),
        })
    }

    /// Is this a request that may be sent again at all, whatever becomes of it? `header` gives the values of one by its
    /// lower-case name, joined with `,`.
    #[must_use]
    pub fn is_about<'h>(
        &self,
        method: &str,
        header: impl Fn(&str) -> Option<Cow<'h, [u8]>>,
    ) -> bool {
        let methods = &self.retry.retry_on.value.methods;
        (methods.is_empty() || methods.contains(method))
            && (self.request_headers.is_empty() || any(&self.request_headers, header))
    }

    /// Is a response with these headers reason to send a request again, whatever its status?
    #[must_use]
    pub fn asks_for_more<'h>(&self, header: impl Fn(&str) -> Option<Cow<'h, [u8]>>) -> bool {
        any(&self.response_headers, header)
    }
}

fn patterns(
    field: &str,
    headers: Option<&Sourced<Vec<HeaderMatch>>>,
) -> Result<Vec<(String, Text)>, (String, String)> {
    let headers = headers.into_iter().flat_map(|headers| &headers.value);
    let pattern = |(place, header): (usize, &HeaderMatch)| match Text::compile(&header.value) {
        Ok(text) => Ok((header.name.clone(), text)),
        Err(why) => Err((format!("/{field}/value/{place}/value/value"), why)),
    };
    headers.enumerate().map(pattern).collect()
}

fn any<'h>(headers: &[(String, Text)], header: impl Fn(&str) -> Option<Cow<'h, [u8]>>) -> bool {
    headers
        .iter()
        .any(|(name, text)| text.matches(header(name).as_deref()))
}

/// The wait that a response asks for: of the first of the headers that says one which is not too long, and up to half of
/// it more, so that those who were told the same do not all come back at once. `unix_now` is the time since 1970, `roll`
/// any number, each as likely as another.
#[must_use]
pub fn asked_wait<'h>(
    back_off: &RateLimitedBackOff,
    header: impl Fn(&str) -> Option<Cow<'h, [u8]>>,
    unix_now: Duration,
    roll: u64,
) -> Option<Duration> {
    let mut waits = back_off.reset_headers.value.iter().filter_map(|reset| {
        let value = header(&reset.name)?;
        let number: u64 = std::str::from_utf8(&value).ok()?.trim().parse().ok()?;
        let number = Duration::from_secs(number);
        match reset.format {
            ResetFormat::Seconds => Some(number),
            ResetFormat::UnixTimestamp => Some(number.saturating_sub(unix_now)),
        }
    });
    let longest = back_off.max.value.as_std();
    let wait = waits.find(|wait| *wait <= longest)?;
    let half = u64::try_from((wait / 2).as_micros()).unwrap_or(u64::MAX);
    Some(wait + Duration::from_micros(roll % half.saturating_add(1).max(1)))
}

/// What became of one try, before anything of it reached the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A response began.
    Response {
        /// 100 to 599.
        status: u16,
        /// `grpc-status`, where the response consists of trailers only.
        grpc: Option<u16>,
        /// It has the header `x-envoy-ratelimited`.
        rate_limited: bool,
    },
    /// No connection could be established, or not in time.
    NoConnection,
    /// The connection ended before a response began.
    Reset,
    /// HTTP/2 `REFUSED_STREAM`, or the like: the server has not looked at the request.
    Unprocessed,
    /// The time of this try was over before a response began.
    TryTimeout,
}

/// Is the outcome a reason to send a request with this method again?
#[must_use]
pub fn is_retriable(retry: &RequestRetry, method: &str, outcome: Outcome) -> bool {
    let on = &retry.retry_on.value;
    if !on.methods.is_empty() && !on.methods.contains(method) {
        return false;
    }
    if let Outcome::Response { status, grpc, .. } = outcome {
        let code = |code: &GrpcCode| grpc == Some(code.number());
        if on.statuses.contains(&status) || on.codes.iter().any(code) {
            return true;
        }
    }
    on.conditions
        .iter()
        .any(|condition| condition.holds(outcome))
}

/// The wait before retry `number`, counted from 1: a random part of what doubles each time. `roll` is any number, each as
/// likely as another.
#[must_use]
pub fn wait(back_off: &BackOff, number: u32, roll: u64) -> Duration {
    let base = back_off.base.value.as_std();
    let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
    let longest = base
        .saturating_mul(doubled)
        .min(back_off.max.value.as_std());
    // In microseconds: finer than any timer, and a day fits.
    let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(roll % longest.saturating_add(1).max(1))
}

impl RetryCondition {
    fn holds(self, outcome: Outcome) -> bool {
        use Outcome::{NoConnection, Reset, Response, TryTimeout, Unprocessed};
        match (self, outcome) {
            (Self::ServerError, Response { status, .. }) => (500..600).contains(&status),
            (Self::ServerError, _) => true,
            (Self::GatewayError, Response { status, .. }) => matches!(status, 502..=504),
            (Self::GatewayError | Self::ConnectFailure, NoConnection) => true,
            (Self::Reset, Reset | TryTimeout | Unprocessed) => true,
            (Self::Retriable4xx, Response { status, .. }) => status == 409,
            (Self::RateLimited, Response { rate_limited, .. }) => rate_limited,
            (Self::RefusedStream, Unprocessed) => true,
            _ => false,
        }
    }
}

impl GrpcCode {
    /// As `grpc-status` has it.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Canceled => 1,
            Self::DeadlineExceeded => 4,
            Self::ResourceExhausted => 8,
            Self::Internal => 13,
            Self::Unavailable => 14,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::resource::TextMatch;
    use crate::resource::retry::{ResetHeader, RetryOn};

    const ALL: [RetryCondition; 8] = [
        RetryCondition::ServerError,
        RetryCondition::GatewayError,
        RetryCondition::Reset,
        RetryCondition::Retriable4xx,
        RetryCondition::ConnectFailure,
        RetryCondition::RateLimited,
        RetryCondition::RefusedStream,
        RetryCondition::Http3PostConnectFailure,
    ];

    fn status(status: u16) -> Outcome {
        Outcome::Response {
            status,
            grpc: None,
            rate_limited: false,
        }
    }

    #[test]
    fn conditions() {
        use RetryCondition::{
            ConnectFailure, GatewayError, RateLimited, RefusedStream, Reset, Retriable4xx,
            ServerError,
        };
        let limited = Outcome::Response {
            status: 429,
            grpc: None,
            rate_limited: true,
        };
        let table: [(Outcome, &[RetryCondition]); 10] = [
            (status(200), &[]),
            (status(404), &[]),
            (status(409), &[Retriable4xx]),
            (limited, &[RateLimited]),
            (status(500), &[ServerError]),
            (status(503), &[ServerError, GatewayError]),
            (
                Outcome::NoConnection,
                &[ServerError, GatewayError, ConnectFailure],
            ),
            (Outcome::Reset, &[ServerError, Reset]),
            (Outcome::TryTimeout, &[ServerError, Reset]),
            (Outcome::Unprocessed, &[ServerError, Reset, RefusedStream]),
        ];
        for (outcome, expected) in table {
            for condition in ALL {
                let retry = RequestRetry::new(RetryOn {
                    conditions: BTreeSet::from([condition]),
                    ..RetryOn::default()
                });
                let again = is_retriable(&retry, "GET", outcome);
                assert_eq!(
                    again,
                    expected.contains(&condition),
                    "{outcome:?} {condition:?}"
                );
            }
        }
    }

    fn named(headers: &[(&str, &str)]) -> impl Fn(&str) -> Option<Cow<'static, [u8]>> {
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        move |name| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| Cow::Owned(value.clone().into_bytes()))
        }
    }

    #[test]
    fn headers_decide_which_requests_and_which_responses() {
        let matches = |name: &str, value| {
            let name = name.to_owned();
            Some(Sourced::built_in(vec![HeaderMatch { name, value }]))
        };
        let mut retry = RequestRetry::new(RetryOn::requests());
        retry.request_headers = matches("x-again", TextMatch::Exact("yes".to_owned()));
        retry.response_headers = matches("x-busy", TextMatch::Regex("[1-9]+".to_owned()));
        let compiled = CompiledRetry::compile(&retry).unwrap();
        assert!(compiled.is_about("GET", named(&[("x-again", "yes")])));
        assert!(!compiled.is_about("GET", named(&[("x-again", "no")])));
        assert!(!compiled.is_about("GET", named(&[])));
        assert!(compiled.asks_for_more(named(&[("x-busy", "7")])));
        assert!(!compiled.asks_for_more(named(&[("x-busy", "0")])));
        assert!(!compiled.asks_for_more(named(&[])));

        retry.request_headers = None;
        retry.retry_on.value.methods = BTreeSet::from(["GET".to_owned()]);
        let compiled = CompiledRetry::compile(&retry).unwrap();
        assert!(compiled.is_about("GET", named(&[])));
        assert!(!compiled.is_about("POST", named(&[])));

        retry.response_headers = matches("x-busy", TextMatch::Regex("(".to_owned()));
        let (pointer, _) = CompiledRetry::compile(&retry).unwrap_err();
        assert_eq!(pointer, "/responseHeaders/value/0/value/value");
    }

    #[test]
    fn a_response_says_how_long_to_wait() {
        let reset = |name: &str, format| ResetHeader {
            name: name.to_owned(),
            format,
        };
        let back_off = RateLimitedBackOff {
            reset_headers: Sourced::built_in(vec![
                reset("retry-after", ResetFormat::Seconds),
                reset("x-reset", ResetFormat::UnixTimestamp),
            ]),
            max: Sourced::built_in(crate::Duration::from_secs(10)),
        };
        let now = Duration::from_secs(1_000);
        for (headers, expected) in [
            (&[][..], None),
            (&[("retry-after", "3")], Some(3)),
            (&[("retry-after", " 3 ")], Some(3)),
            (&[("retry-after", "Fri, 27 Nov 2026 10:00:00 GMT")], None),
            (&[("retry-after", "11")], None),
            (&[("retry-after", "11"), ("x-reset", "1004")], Some(4)),
            (&[("x-reset", "900")], Some(0)),
            (&[("x-reset", "99999999999999999999")], None),
        ] {
            let wait = |roll| asked_wait(&back_off, named(headers), now, roll);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(wait(0), expected, "{headers:?}");
            let most = expected.map(|wait| wait.mul_f64(1.5));
            for roll in [1, 1 << 40, u64::MAX] {
                assert!(wait(roll) >= expected && wait(roll) <= most, "{headers:?}");
            }
        }
    }

    #[test]
    fn statuses_codes_and_methods() {
        let on = RetryOn {
            statuses: BTreeSet::from([429]),
            codes: BTreeSet::from([GrpcCode::Unavailable]),
            methods: BTreeSet::from(["GET".to_owned()]),
            ..RetryOn::default()
        };
        let retry = RequestRetry::new(on);
        let call = |code| Outcome::Response {
            status: 200,
            grpc: Some(code),
            rate_limited: false,
        };
        assert!(is_retriable(&retry, "GET", status(429)));
        assert!(!is_retriable(&retry, "POST", status(429)));
        assert!(!is_retriable(&retry, "GET", status(503)));
        assert!(is_retriable(&retry, "GET", call(14)));
        assert!(!is_retriable(&retry, "GET", call(0)));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_what_doubles_or_the_longest(
            base in 0_u64..10_000, max in 0_u64..10_000, number in 0_u32..70, roll: u64,
        ) {
            let span = |millis| Sourced::built_in(crate::Duration::from_millis(millis));
            let back_off = BackOff { base: span(base), max: span(max) };
            let wait = wait(&back_off, number, roll).as_millis();
            let doubled = u128::from(base) << number.saturating_sub(1).min(64);
            prop_assert!(wait <= u128::from(max) && wait <= doubled);
        }
    }
}
