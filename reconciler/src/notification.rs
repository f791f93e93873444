//! Events, told to whoever the operator named.
//!
//! Never without a signature where there is a secret, never kept waiting by a server that is away, and never told of a
//! notification that failed: that would be the next one to fail.

use std::sync::Arc;

use aws_lc_rs::hmac;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use zeroize::Zeroizing;

use crate::event::{self, Event, Events, News};
use crate::outgoing::{self, Letter};
use crate::settings::Notify;
use crate::{random, secret};

/// The reason of the one event that nobody is told of.
const FAILED: &str = "NotificationFailed";

/// Tells one of them of every event from now on, one after the other. To be called before there are any.
pub(crate) fn tell(events: Arc<Events>, to: Notify) -> impl Future<Output = ()> {
    let news = events.subscribe();
    run(news, events, to)
}

async fn run(mut news: Receiver<Event>, events: Arc<Events>, to: Notify) {
    let fails = |why: &str| {
        let news = News::error("Notification", to.url.host(), FAILED, why);
        event::record(&events, &news);
    };
    loop {
        let event = match news.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(lost)) => {
                fails(&format!(
                    "{lost} events are not told: the server is too slow"
                ));
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        if event.severity < to.severity || event.reason == FAILED {
            continue;
        }
        // Texts and numbers: this cannot fail.
        let body = serde_json::to_vec(&event).unwrap_or_default();
        let wanted = to.clone();
        let letter = move || letter(&wanted, body.clone());
        let sent = outgoing::send(to.ca.as_deref(), letter, |_| false).await;
        if let Err(why) = sent {
            fails(&format!("the event `{}` is not told: {why}", event.reason));
        }
    }
}

fn letter(to: &Notify, body: Vec<u8>) -> Result<Letter, String> {
    let mut headers = Vec::new();
    if let Some(path) = &to.secret_file {
        let secret = secret::read(path)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = random::to_hex(hmac::sign(&key, &body).as_ref());
        headers.push(("x-signature", Zeroizing::new(format!("sha256={tag}"))));
    }
    Ok(Letter {
        url: to.url.as_str().to_owned(),
        headers,
        body,
    })
}
