//! Formats of records: a text with `%OPERATOR%`s, read once (language 5.11).
//!
//! Never guesses: what is not an operator of the language is a problem, and so is one that lacks what it needs.

use mesh_bundle::resource::{HeaderName, LogOperator as Is, LogSegment, LogValue, TimePart};

/// What a record can say (language 5.11).
const OPERATORS: [&str; 27] = [
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DURATION",
    "HOSTNAME",
    "KUMA_DESTINATION_SERVICE",
    "KUMA_MESH",
    "KUMA_SOURCE_ADDRESS",
    "KUMA_SOURCE_ADDRESS_WITHOUT_PORT",
    "KUMA_SOURCE_SERVICE",
    "KUMA_TRAFFIC_DIRECTION",
    "KUMA_WORKLOAD",
    "KUMA_ZONE",
    "PROTOCOL",
    "REQ",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "RESP",
    "RESPONSE_CODE",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "ROUTE_NAME",
    "START_TIME",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_HOST",
];

/// Why a part of a format cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Problem {
    fn new(message: String, help: impl Into<String>) -> Self {
        let help = help.into();
        Self { message, help }
    }
}

/// The parts of a text, without those that are problems.
pub(crate) fn read(text: &str) -> (Vec<LogSegment>, Vec<Problem>) {
    let (mut segments, mut problems) = (Vec::new(), Vec::new());
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        if let Some(escaped) = after.strip_prefix('%') {
            plain.push('%');
            rest = escaped;
            continue;
        }
        let Some((written, after)) = Written::split(after) else {
            let name: String = after.chars().take_while(|c| is_of_name(*c)).collect();
            let message = format!("`%{name}` is not closed by a `%`");
            problems.push(Problem::new(message, "`%%` is a `%`"));
            return (segments, problems);
        };
        match written.value() {
            Ok(value) => {
                end(&mut plain, &mut segments);
                segments.push(LogSegment::Value(value));
            }
            Err(problem) => problems.push(problem),
        }
        rest = after;
    }
    plain.push_str(rest);
    end(&mut plain, &mut segments);
    (segments, problems)
}

fn end(plain: &mut String, segments: &mut Vec<LogSegment>) {
    if !plain.is_empty() {
        segments.push(LogSegment::Text(std::mem::take(plain)));
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_uppercase() || c == '_'
}

/// `NAME(argument):length`.
struct Written<'a> {
    name: &'a str,
    argument: Option<&'a str>,
    length: &'a str,
}

impl<'a> Written<'a> {
    /// What stands up to the closing `%`, and what follows that.
    fn split(text: &'a str) -> Option<(Self, &'a str)> {
        let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
        let (name, tail) = text.split_at_checked(end)?;
        // An argument may hold `%` itself, as the formats of times do.
        let (argument, tail) = match tail.strip_prefix('(') {
            Some(argument) => {
                let (argument, tail) = argument.split_once(')')?;
                (Some(argument), tail)
            }
            None => (None, tail),
        };
        let (length, rest) = tail.split_once('%')?;
        let is_length = length.bytes().all(|b| b == b':' || b.is_ascii_digit());
        let written = Self {
            name,
            argument,
            length,
        };
        is_length.then_some((written, rest))
    }

    fn value(&self) -> Result<LogValue, Problem> {
        let operator = self.operator()?;
        let longest = match self.length {
            "" => None,
            length => Some(
                length
                    .strip_prefix(':')
                    .and_then(|l| l.parse().ok())
                    .ok_or_else(|| {
                        let message = format!("`{length}` is not a length");
                        Problem::new(message, "`:20` is at most 20 characters")
                    })?,
            ),
        };
        Ok(LogValue { operator, longest })
    }

    fn operator(&self) -> Result<Is, Problem> {
        let name = self.name;
        match (name, self.argument) {
            ("START_TIME", argument) => {
                return Ok(Is::StartTime(argument.map_or(Ok(Vec::new()), time)?));
            }
            ("REQ", Some(argument)) => return Ok(Is::RequestHeader(header(argument)?)),
            ("RESP", Some(argument)) => return Ok(Is::ResponseHeader(header(argument)?)),
            ("REQ" | "RESP", None) => {
                let message = format!("`%{name}%` needs the name of a header");
                return Err(Problem::new(
                    message,
                    format!("as in `%{name}(USER-AGENT)%`"),
                ));
            }
            _ => {}
        }
        let operator = plain(name).ok_or_else(|| unknown(name))?;
        match self.argument {
            None => Ok(operator),
            Some(argument) => {
                let message = format!("`%{name}%` takes nothing in parentheses");
                Err(Problem::new(message, format!("remove `({argument})`")))
            }
        }
    }
}

/// The operators that stand alone.
fn plain(name: &str) -> Option<Is> {
    Some(match name {
        "BYTES_RECEIVED" => Is::BytesReceived,
        "BYTES_SENT" => Is::BytesSent,
        "DOWNSTREAM_PEER_URI_SAN" => Is::DownstreamPeerUriSan,
        "DOWNSTREAM_REMOTE_ADDRESS" => Is::DownstreamRemoteAddress,
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Is::DownstreamRemoteAddressWithoutPort,
        "DURATION" => Is::Duration,
        "HOSTNAME" => Is::Hostname,
        "KUMA_DESTINATION_SERVICE" => Is::DestinationService,
        "KUMA_MESH" => Is::Mesh,
        "KUMA_SOURCE_ADDRESS" => Is::SourceAddress,
        "KUMA_SOURCE_ADDRESS_WITHOUT_PORT" => Is::SourceAddressWithoutPort,
        "KUMA_SOURCE_SERVICE" => Is::SourceService,
        "KUMA_TRAFFIC_DIRECTION" => Is::TrafficDirection,
        "KUMA_WORKLOAD" => Is::Workload,
        "KUMA_ZONE" => Is::Zone,
        "PROTOCOL" => Is::Protocol,
        "REQUESTED_SERVER_NAME" => Is::RequestedServerName,
        "REQUEST_DURATION" => Is::RequestDuration,
        "RESPONSE_CODE" => Is::ResponseCode,
        "RESPONSE_DURATION" => Is::ResponseDuration,
        "RESPONSE_FLAGS" => Is::ResponseFlags,
        "ROUTE_NAME" => Is::RouteName,
        "UPSTREAM_CLUSTER" => Is::UpstreamCluster,
        "UPSTREAM_HOST" => Is::UpstreamHost,
        _ => return None,
    })
}

fn unknown(name: &str) -> Problem {
    let help = match crate::similar::nearest(name, OPERATORS) {
        Some(near) => format!("did you mean `%{near}%`?"),
        None => format!("the operators are {}", OPERATORS.join(", ")),
    };
    Problem::new(format!("there is no operator `%{name}%`"), help)
}

/// `NAME` or `NAME?OTHERWISE`.
fn header(argument: &str) -> Result<HeaderName, Problem> {
    let (name, otherwise) = match argument.split_once('?') {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (argument, None),
    };
    for name in [Some(name), otherwise].into_iter().flatten() {
        let own = name.strip_prefix(':').unwrap_or(name);
        if !own
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            || own.is_empty()
        {
            let message = format!("`{name}` is not the name of a header");
            return Err(Problem::new(message, "as in `%REQ(X-FIRST?X-SECOND)%`"));
        }
    }
    Ok(HeaderName {
        name: name.to_ascii_lowercase(),
        otherwise: otherwise.map(str::to_ascii_lowercase),
    })
}

/// The parts of a time, as `strftime` writes them.
fn time(format: &str) -> Result<Vec<TimePart>, Problem> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text(before, &mut parts);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, after) = after.split_at_checked(digits).unwrap_or(("", after));
        let mut letters = after.chars();
        let letter = letters.next();
        rest = letters.as_str();
        match (digits, letter) {
            ("", Some('%')) => text("%", &mut parts),
            ("", Some('Y')) => parts.push(TimePart::Year),
            ("", Some('m')) => parts.push(TimePart::Month),
            ("", Some('b')) => parts.push(TimePart::MonthName),
            ("", Some('d')) => parts.push(TimePart::Day),
            ("", Some('H')) => parts.push(TimePart::Hour),
            ("", Some('M')) => parts.push(TimePart::Minute),
            ("", Some('S')) => parts.push(TimePart::Second),
            ("", Some('s')) => parts.push(TimePart::Unix),
            ("", Some('z')) => text("+0000", &mut parts),
            ("", Some('Z')) => text("UTC", &mut parts),
            ("", Some('F')) => parts.extend(time("%Y-%m-%d")?),
            ("", Some('T')) => parts.extend(time("%H:%M:%S")?),
            ("", Some('f')) => parts.push(TimePart::Fraction(9)),
            ("1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9", Some('f')) => {
                parts.push(TimePart::Fraction(digits.parse().unwrap_or(9)));
            }
            (digits, letter) => {
                let letter = letter.map(String::from).unwrap_or_default();
                let message = format!("`%{digits}{letter}` is not a part of a time");
                let help = "the parts are %Y %m %b %d %H %M %S %s %f %3f %6f %F %T %z %Z";
                return Err(Problem::new(message, help));
            }
        }
    }
    text(rest, &mut parts);
    Ok(parts)
}

fn text(text: &str, parts: &mut Vec<TimePart>) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(TimePart::Text(before)) => before.push_str(text),
        _ => parts.push(TimePart::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_into_parts() {
        let told = |format: &str| match time(format) {
            Ok(parts) => format!("{parts:?}"),
            Err(problem) => problem.message,
        };
        for (format, expected) in [
            ("%s.%3f", "[Unix, Text(\".\"), Fraction(3)]"),
            ("%H:%M%%", "[Hour, Text(\":\"), Minute, Text(\"%\")]"),
            ("%F", "[Year, Text(\"-\"), Month, Text(\"-\"), Day]"),
            ("%z %Z", "[Text(\"+0000 UTC\")]"),
            ("", "[]"),
            ("%q", "`%q` is not a part of a time"),
            ("%33f", "`%33f` is not a part of a time"),
            ("a%", "`%` is not a part of a time"),
        ] {
            assert_eq!(told(format), expected, "{format}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        for (text, expected) in [
            ("100 %%", None),
            ("%DURATION%%DURATION%", None),
            ("%REQ(:PATH?X-Y):10%", None),
            ("%DURATON%", Some("there is no operator `%DURATON%`")),
            ("%DURATION", Some("`%DURATION` is not closed by a `%`")),
            ("50 % of", Some("`%` is not closed by a `%`")),
            ("%REQ%", Some("`%REQ%` needs the name of a header")),
            ("%REQ(a b)%", Some("`a b` is not the name of a header")),
            ("%REQ()%", Some("`` is not the name of a header")),
            (
                "%DURATION(ms)%",
                Some("`%DURATION%` takes nothing in parentheses"),
            ),
            ("%REQ(a):1:2%", Some("`:1:2` is not a length")),
        ] {
            let (_, problems) = read(text);
            let message = problems.first().map(|problem| problem.message.as_str());
            assert_eq!(message, expected, "{text}");
        }
    }
}
