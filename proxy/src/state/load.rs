//! What is believed of the files in the state directory.
//!
//! Never a file because it is there: names, keys, digests and certificates must fit together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::{ClusterEndpoints, Received, Secrets};

use super::form::{
    ControlForm, CredentialForm, EndpointsForm, SecretsForm, ServingForm, certificates,
    read_cluster,
};
use super::{CONTROL, ENDPOINTS, Membership, SECRETS, SERVING, Serving, file};
use crate::configuration::Configuration;
use crate::enroll::pin::pin_of;
use crate::enroll::token::Token;
use crate::identity::{Credential, PrivateKey, ProxyName};

/// Why a part of the state is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Damaged(#[from] file::Damaged),
    #[error(transparent)]
    Key(#[from] crate::identity::NoKey),
    #[error(transparent)]
    Certificate(#[from] crate::identity::Unacceptable),
    #[error("{0}")]
    Configuration(Box<crate::world::Rejected>),
    #[error("it was left by {0}")]
    OtherProxy(ProxyName),
    #[error("it is of another meshd than the one that the token is of")]
    OtherMeshd,
    #[error(
        "its configuration asks for a certificate that is not there, or has one that it does not ask for"
    )]
    Certificates,
}

impl Membership {
    /// Whether the token is the one that was spent, or another of the same meshd.
    fn is_of(&self, token: &Token) -> bool {
        let pinned = |anchor| pin_of(anchor) == Some(token.pin());
        self.token == token.id() || self.anchors.iter().any(pinned)
    }
}

pub(super) fn membership(
    path: &Path,
    dataplane: Option<&str>,
    token: Option<&Token>,
) -> Result<Option<Membership>, Unusable> {
    let Some(form) = file::read::<ControlForm>(&path.join(CONTROL))? else {
        return Ok(None);
    };
    let credential = restore(form.credential)?;
    let name = credential.proxy_name()?;
    if dataplane.is_some_and(|wanted| wanted != name.dataplane) {
        return Err(Unusable::OtherProxy(name));
    }
    let membership = Membership {
        token: form.token,
        credential,
        anchors: certificates(form.anchors),
        name,
    };
    if token.is_some_and(|token| !membership.is_of(token)) {
        return Err(Unusable::OtherMeshd);
    }
    Ok(Some(membership))
}

pub(super) fn serving(path: &Path, name: &ProxyName) -> Result<Option<Serving>, Unusable> {
    let Some(form) = file::read::<ServingForm>(&path.join(SERVING))? else {
        return Ok(None);
    };
    let resources = form.resources.into_iter().map(|(key, text)| {
        let bytes = Bytes::from(text);
        (key, (Digest::of(&bytes), bytes))
    });
    let received = Received {
        revision: form.revision,
        root: form.root,
        resources: resources.collect(),
    };
    let configuration = Configuration::read(received, name)
        .map_err(|rejected| Unusable::Configuration(Box::new(rejected)))?;
    let svid = form.svid.map(restore).transpose()?;
    let svid = match (configuration.identity(), svid) {
        (None, None) => None,
        // What an agent gives was not kept.
        (Some(identity), None) if identity.agent.is_some() => None,
        (Some(identity), Some(svid)) => Some(Arc::new(svid.named(&identity.spiffe_id)?)),
        _ => return Err(Unusable::Certificates),
    };
    Ok(Some(Serving {
        configuration,
        svid,
    }))
}

pub(super) fn endpoints(
    path: &Path,
    name: &ProxyName,
) -> Result<Option<BTreeMap<Kri, Arc<ClusterEndpoints>>>, Unusable> {
    let Some(form) = file::read::<EndpointsForm>(&path.join(ENDPOINTS))? else {
        return Ok(None);
    };
    left_by((form.mesh, form.dataplane), name)?;
    let clusters = form.clusters.into_iter();
    Ok(Some(
        clusters
            .map(|(service, form)| (service, Arc::new(read_cluster(form))))
            .collect(),
    ))
}

pub(super) fn secrets(path: &Path, name: &ProxyName) -> Result<Option<Secrets>, Unusable> {
    let Some(form) = file::read::<SecretsForm>(&path.join(SECRETS))? else {
        return Ok(None);
    };
    left_by((form.mesh, form.dataplane), name)?;
    let values = form.values.into_iter().map(|(id, value)| (id, value.0));
    Ok(Some(Secrets(values.collect())))
}

fn left_by((mesh, dataplane): (String, String), name: &ProxyName) -> Result<(), Unusable> {
    let left_by = ProxyName { mesh, dataplane };
    match left_by == *name {
        true => Ok(()),
        false => Err(Unusable::OtherProxy(left_by)),
    }
}

fn restore(form: CredentialForm) -> Result<Credential, Unusable> {
    let key = PrivateKey::from_pkcs8(form.key.0)?;
    Ok(Credential::restore(
        key,
        certificates(form.chain),
        form.renew_at,
    )?)
}
