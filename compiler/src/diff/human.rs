//! A difference on a page.
//!
//! Never longer than what is different in kind: see `grouped`.

use super::Difference;
use super::gates::{Broken, Verdict};
use super::grouped::{self, Line};

/// For people; one line where nothing is different.
#[must_use]
pub fn human(difference: &Difference, verdict: Option<&Verdict>) -> String {
    let mut page = String::new();
    if let Some(verdict) = verdict {
        gates(&mut page, verdict);
    }
    if difference.is_empty() {
        page.push_str("no change in meaning\n");
    }
    if let Some(summary) = grouped::summary(difference) {
        page.push_str(&format!("{summary}\n\n"));
    }
    let chapters = [
        ("who reaches what", grouped::edges(difference)),
        ("outside of the mesh", grouped::outside(difference)),
        ("settings", grouped::settings(difference)),
    ];
    for (title, lines) in chapters {
        if !lines.is_empty() {
            page.push_str(&format!("{title}\n"));
            lines.iter().for_each(|line| add(&mut page, line));
            page.push('\n');
        }
    }
    if let Some(line) = grouped::configurations(difference) {
        page.push_str(&format!("proxies\n  {line}\n"));
    }
    page
}

fn add(page: &mut String, Line { sign, text, place }: &Line) {
    let place = match place.is_empty() {
        true => String::new(),
        false => format!("  ({place})"),
    };
    page.push_str(&format!("  {sign} {text}{place}\n"));
}

/// What is broken comes first: everything below is why.
fn gates(page: &mut String, verdict: &Verdict) {
    for Broken {
        gate,
        message,
        causes,
        rule,
        help,
    } in &verdict.broken
    {
        page.push_str(&format!("broken gate [{}]: {message}\n", gate.code().0));
        for cause in causes {
            page.push_str(&format!("  at {cause}\n"));
        }
        page.push_str(&format!("  gate: {rule}\n  help: {help}\n\n"));
    }
    for allowed in &verdict.allowed {
        page.push_str(&format!("allowed: {allowed}\n\n"));
    }
}
