//! The answer in words, and for programs.
//!
//! Never takes closed for a fault: whoever asks gets an answer.

use serde_json::{Value, json};

use super::{Before, Blame};
use crate::diag::counted;
use crate::inspect::Question;
use crate::world::Commit;

/// Names that are listed before the rest is counted.
const LISTED: usize = 4;

/// For people.
#[must_use]
pub fn human(blame: &Blame, question: &Question) -> String {
    let (now, since) = (&blame.now, &blame.since);
    let port = match now.port.section() {
        "" => now.port.name().to_owned(),
        section => format!("{}:{section}", now.port.name()),
    };
    let request = question.request.as_ref();
    let request = request.map_or(String::new(), |asked| format!(" {asked}"));
    let state = if now.is_open { "open" } else { "closed" };
    let edge = format!("{} -> {port}{request}: {state}", question.from);
    let mut page = match blame.before {
        Before::Otherwise => format!("{edge} since commit {}\n", short(since)),
        Before::Nothing if now.is_open => {
            format!("{edge} since the first commit, {}\n", short(since))
        }
        Before::Nothing => format!(
            "{edge}, and was never open in {}\n",
            counted(blame.looked, "commit")
        ),
        Before::Shallow => format!(
            "{edge}, and was so as far as this shallow clone goes, {} back to {}: `git fetch --unshallow` gets the rest\n",
            counted(blame.looked, "commit"),
            short(since)
        ),
        Before::Unknown => format!(
            "{edge}, and was so in all {} that were looked at, the oldest of which is {}; --max-count looks further\n",
            counted(blame.looked, "commit"),
            short(since)
        ),
    };
    if blame.before == Before::Otherwise || (now.is_open && blame.before == Before::Nothing) {
        page.push_str(&format!(
            "  {}\n  {}, {}\n",
            since.subject,
            since.author,
            date(since.time)
        ));
    }
    let word = if now.is_open { "allowed" } else { "refused" };
    match (&blame.then.because, &now.because) {
        (Some(then), Some(now)) if then.to_string() != now.to_string() => {
            page.push_str(&format!("  {word} by {then} then, by {now} now\n"));
        }
        (_, Some(now)) => page.push_str(&format!("  {word} by {now}\n")),
        _ => {}
    }
    if !now.is_open {
        page.push_str(&format!(
            "  help: `meshc explain --from {} --to {port}` says why\n",
            question.from
        ));
    }
    if !blame.unsure.is_empty() {
        page.push_str(&format!(
            "  or since one of {} before it, which have errors and could not be asked:\n",
            blame.unsure.len()
        ));
        for commit in blame.unsure.iter().take(LISTED) {
            page.push_str(&format!("    {} {}\n", short(commit), commit.subject));
        }
        if let more @ 1.. = blame.unsure.len().saturating_sub(LISTED) {
            page.push_str(&format!("    and {more} more\n"));
        }
    }
    page
}

/// For programs.
#[must_use]
pub fn json(blame: &Blame, question: &Question) -> Value {
    json!({
        "from": question.from,
        "clients": blame.now.clients,
        "to": blame.now.port,
        "request": question.request.as_ref().map(ToString::to_string),
        "open": blame.now.is_open,
        "before": match blame.before {
            Before::Otherwise => "otherwise",
            Before::Nothing => "nothing",
            Before::Unknown | Before::Shallow => "unknown",
        },
        "since": commit(&blame.since),
        "because": {"then": blame.then.because, "now": blame.now.because},
        "unsure": blame.unsure.iter().map(commit).collect::<Vec<_>>(),
        "looked": blame.looked,
    })
}

fn commit(commit: &Commit) -> Value {
    json!({
        "id": commit.id,
        "author": commit.author,
        "date": date(commit.time),
        "subject": commit.subject,
    })
}

fn short(commit: &Commit) -> String {
    commit.id.chars().take(12).collect()
}

/// The day of a time in UTC, `2026-11-27`.
fn date(seconds: i64) -> String {
    // Days of eras of 400 years that begin in March, so that the day that is not always there is the last of its year.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{of_month:02}", year + era * 400 + next)
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_737_600, "2026-11-27"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(super::date(seconds), day);
        }
    }
}
