//! Whether a request is sent again, and after how long (language 5.4).
//!
//! Never counts tries: how many there were is an argument, and how many may be under way at once is not decided here.

use std::time::Duration;

use crate::resource::retry::{BackOff, GrpcCode, RequestRetry, RetryCondition};

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
    use crate::origin::Sourced;
    use crate::resource::retry::RetryOn;

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
