//! How the proxy comes to a session with meshd: enrolled once, then by its control certificate.
//!
//! Never ends a proxy that serves something, whatever meshd says of its token.

use std::sync::Arc;

use mesh_delivery::client::{ClientError, Session};
use mesh_delivery::message::{Denied, Received};
use rustls::ClientConfig;

use super::plane::Plane;
use super::{Control, Hopeless, VERSION};
use crate::clock::unix_now;
use crate::enroll;
use crate::enroll::token::Token;
use crate::identity::{NoKey, PrivateKey};
use crate::meshd::{self, SERVER_NAME};
use crate::state::Membership;

/// Why there is no session.
pub(super) enum NoSession {
    Hopeless(Hopeless),
    Transient(String),
}

impl<P: Plane> Control<P> {
    pub(super) async fn connect(&mut self) -> Result<Session, NoSession> {
        let ended = |membership: &Membership| membership.credential.is_expired(unix_now());
        let membership = match self.membership.take() {
            Some(membership) if !ended(&membership) => membership,
            other => {
                if let Some(old) = &other {
                    let name = old.name.to_string();
                    tracing::warn!(name, "the control certificate has ended; a token is needed");
                }
                // Kept: where enrolling fails, the name in it still says whose state this is.
                self.membership = other;
                self.enroll().await?
            }
        };
        let tls = meshd::session(&membership);
        let opened = match tls {
            Ok(tls) => self.open(&membership, tls).await,
            Err(error) => Err(ClientError::Protocol(error.to_string())),
        };
        self.membership = Some(membership);
        match opened {
            Ok(session) => Ok(session),
            Err(error) if is_stranger(&error) && self.has_new_token() => {
                tracing::warn!(%error, "meshd does not know this proxy; enrolling with the new token");
                let membership = self.enroll().await?;
                self.membership = Some(membership);
                Err(NoSession::Transient("enrolled anew".to_owned()))
            }
            Err(error) => Err(NoSession::Transient(error.to_string())),
        }
    }

    async fn open(
        &self,
        membership: &Membership,
        tls: Arc<ClientConfig>,
    ) -> Result<Session, ClientError> {
        let address = self.addresses.current();
        let held = self.held(membership);
        Session::open(address, tls, SERVER_NAME, VERSION, held).await
    }

    /// What meshd may send differences from: only a configuration of the proxy that connects.
    fn held(&self, membership: &Membership) -> Option<Received> {
        let configuration = &self.serving.as_ref()?.configuration;
        let ours = configuration.is_for(&membership.name);
        ours.then(|| configuration.received.clone())
    }

    /// Trades the token for a control certificate. While something is served no refusal ends the proxy.
    async fn enroll(&mut self) -> Result<Membership, NoSession> {
        let hopeless = |serving: bool, reason: String| {
            if serving {
                NoSession::Transient(reason)
            } else {
                NoSession::Hopeless(Hopeless(reason))
            }
        };
        let serving = self.serving.is_some();
        let token = Token::read(&self.settings.token_file, self.settings.pin)
            .map_err(|error| hopeless(serving, error.to_string()))?;
        let key = self
            .enrolment_key(&token)
            .await
            .map_err(|error| NoSession::Transient(error.to_string()))?;
        let settings = &self.settings;
        let address = self.addresses.current();
        let enrolled = enroll::enroll(address, &token, key, &settings.claim, unix_now());
        let membership = enrolled.await.map_err(|error| {
            if error.is_final() {
                hopeless(serving, error.to_string())
            } else {
                NoSession::Transient(error.to_string())
            }
        })?;
        tracing::info!(proxy = %membership.name, "enrolled");
        self.store.save_membership(&membership).await;
        let end = membership.credential.not_after();
        self.show(|view| view.control_not_after = Some(end));
        Ok(membership)
    }

    /// The same key for the same token, on disks that keep nothing too.
    async fn enrolment_key(&mut self, token: &Token) -> Result<PrivateKey, NoKey> {
        match &self.enrolment {
            Some((shown, key)) if shown == token.id() => Ok(key.clone()),
            _ => {
                let key = self.store.enrolment_key(token.id()).await?;
                self.enrolment = Some((token.id().to_owned(), key.clone()));
                Ok(key)
            }
        }
    }

    fn has_new_token(&self) -> bool {
        let spent = self.membership.as_ref().map(|m| m.token.as_str());
        Token::read(&self.settings.token_file, self.settings.pin)
            .is_ok_and(|token| Some(token.id()) != spent)
    }
}

/// meshd, or who answers in its place, does not accept the control certificate, or is not the one that issued it.
fn is_stranger(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused(Denied::Unauthenticated(_) | Denied::Forbidden(_))
            | ClientError::Tls { .. }
    )
}
