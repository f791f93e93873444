//! Dataplanes that proxies bring with them: judged like those in git, and by what their proof is good for.
//!
//! Never lets one become an instance of a service or take a name that its proof does not give it. An address that is taken is
//! an error of the compiler.

use std::collections::BTreeSet;

use mesh_bundle::{Bundle, BundledProxy, Kri};
use mesh_delivery::message::Denied;
use serde_json::{Value, json};

use super::{Desk, Good, Rollout, documents};
use crate::candidate::{self, Candidate, Documents, Name};
use crate::reconcile::Trouble;
use crate::token::{Grant, Scope};
use crate::waves::Plan;

/// Says of which workload a Dataplane is.
const WORKLOAD: &str = "kuma.io/workload";

/// Somebody with a document.
struct Newcomer<'a> {
    key: (String, String),
    /// As JSON.
    document: Value,
    grant: &'a Grant,
}

impl Rollout {
    /// Registers the document that a proxy brought: it joins what is served as if it stood in the repository.
    pub(crate) async fn register(
        &self,
        document: Vec<u8>,
        grant: &Grant,
        asked: Option<&str>,
    ) -> Result<Name, Denied> {
        let mut desk = self.desk().await;
        let Some(good) = desk.good.clone() else {
            return Err(Denied::Unavailable("nothing is published yet".to_owned()));
        };
        let (name, tree) =
            candidate::identify(&document, &good.settings).map_err(Denied::Invalid)?;
        documents::check(&name, grant, asked)?;
        let newcomer = Newcomer {
            key: (name.mesh().to_owned(), name.name().to_owned()),
            document: tree,
            grant,
        };
        newcomer.check_labels()?;
        let candidate = self.beside(&good, &newcomer.key, document.clone()).await?;
        if let Some(diagnostics) = candidate.left_out.get(&newcomer.key) {
            return Err(Denied::Invalid(diagnostics.clone()));
        }
        self.check_claims(&good, &newcomer, &candidate.bundle)
            .await?;
        let unavailable = |why: String| {
            tracing::error!(%why, "a Dataplane cannot be registered");
            Denied::Unavailable("meshd cannot register Dataplanes at this moment".to_owned())
        };
        let left = |trouble: Trouble| unavailable(trouble.message);
        let good = self.good(candidate).map_err(left)?;
        // It joins the commit that is on its way too, in its wave, as far as it may there.
        let next = match &desk.rolling {
            None => None,
            Some(rolling) => {
                let next = &rolling.next;
                let with = self.beside(next, &newcomer.key, document.clone()).await?;
                // What does not fit there is left out of it, as one that was there before would be.
                if !with.left_out.contains_key(&newcomer.key) {
                    self.check_claims(next, &newcomer, &with.bundle).await?;
                }
                Some(Good::new(with))
            }
        };
        let before = documents::at(&self.shared.state, &newcomer.key);
        documents::write(&self.shared.state, &newcomer.key, &document)
            .map_err(|failure| unavailable(failure.to_string()))?;
        self.registered_here(&newcomer.key, &document, before);
        self.joined().insert(newcomer.key, document);
        self.replace(&mut desk, good, next).map_err(unavailable)?;
        Ok(name)
    }

    /// The same commits, compiled again.
    pub(super) fn replace(
        &self,
        desk: &mut Desk,
        good: Good,
        next: Option<Good>,
    ) -> Result<(), String> {
        if let (Some(rolling), Some(next)) = (&mut desk.rolling, next) {
            if let Some(gates) = &next.rollout {
                let plan = Plan::new(
                    gates,
                    (&good.bundle, &next.bundle),
                    &next.labels.by_dataplane(),
                );
                rolling.machine.replan(plan);
            }
            rolling.next = next;
        }
        desk.good = Some(good);
        let Some(stage) = desk.stage() else {
            return Ok(());
        };
        let authorities = self.load(&stage).map_err(|failure| failure.to_string())?;
        let secrets = self.told_secrets(&stage);
        let served = self.serve(&stage, (authorities, secrets));
        served.map(drop).map_err(|trouble| trouble.message)
    }

    /// What is served, with this document for that Dataplane. Whoever was there before stays, whatever the newcomer claims.
    async fn beside(
        &self,
        good: &Good,
        key: &(String, String),
        document: Vec<u8>,
    ) -> Result<Candidate, Denied> {
        let mut others = self.documents();
        others.remove(key);
        let groups = vec![others, Documents::from([(key.clone(), document)])];
        let (files, before) = (good.files.clone(), good.files.clone());
        let compiled = self.compiled(
            move || Ok(files),
            good.revision.clone(),
            groups,
            (before, None),
        );
        let unavailable = |trouble: Trouble| Denied::Unavailable(trouble.message);
        compiled.await.map_err(unavailable)
    }

    /// May the newcomer be what it claims to be?
    async fn check_claims(
        &self,
        good: &Good,
        newcomer: &Newcomer<'_>,
        with: &Bundle,
    ) -> Result<(), Denied> {
        let Some((kri, itself)) = find(with, &newcomer.key) else {
            return Err(Denied::Unavailable(
                "it is not part of what it was compiled into".to_owned(),
            ));
        };
        // Those that joined by themselves before: they are in what is served, the commit alone does not have them.
        let served = self.published();
        let earlier = self.joined().get(&newcomer.key).and(served.as_ref());
        let earlier = earlier.and_then(|served| served.proxies.get(kri));
        newcomer.check_workload(itself, earlier.map(|earlier| earlier.workload.as_deref()))?;
        let mut open = newcomer.unproven(kri, itself, with);
        if let Some(earlier) = earlier {
            open.retain(|service| !earlier.serves.contains(service));
        }
        if open.is_empty() {
            return Ok(());
        }
        let (key, probe) = newcomer.probe();
        let granted = self.beside(good, &key, probe).await?;
        let granted = find(&granted.bundle, &key).map(|(_, proxy)| proxy.endpoints.as_slice());
        let granted = granted.unwrap_or_default();
        let foreign = open
            .iter()
            .find(|service| !granted.iter().any(|endpoint| endpoint.service == **service));
        foreign.map_or(Ok(()), |service| {
            Err(Denied::Forbidden(format!(
                "by its labels or name the document makes itself an instance of the service `{}`, which the token does not \
                 give; make one that says so (`meshd token --label NAME=VALUE`)",
                service.name()
            )))
        })
    }
}

impl Newcomer<'_> {
    fn scope(&self) -> &Scope {
        &self.grant.scope
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.document.get("labels")?.get(name)?.as_str()
    }

    /// Does the document say what the token says of labels?
    fn check_labels(&self) -> Result<(), Denied> {
        for (name, value) in &self.scope().labels {
            if self.label(name) != Some(value) {
                let found = self.label(name).unwrap_or_default();
                return Err(Denied::Forbidden(format!(
                    "the token is for Dataplanes with the label `{name}: {value}`, the document has `{found}`"
                )));
            }
        }
        Ok(())
    }

    /// Is it of a workload that the token gives? `earlier`: who joined by that name before, and is still here.
    fn check_workload(
        &self,
        itself: &BundledProxy,
        earlier: Option<Option<&str>>,
    ) -> Result<(), Denied> {
        let claimed = itself.workload.as_deref();
        if let Some(bound) = &self.scope().workload
            && claimed != Some(bound)
        {
            let claimed = claimed.unwrap_or_default();
            return Err(Denied::Forbidden(format!(
                "the token is for the workload `{bound}`, the document claims `{claimed}`"
            )));
        }
        if let Some(earlier) = earlier {
            if earlier == claimed {
                return Ok(());
            }
            return Err(Denied::Forbidden(format!(
                "a Dataplane of this name has joined as the workload `{}`; take another name",
                earlier.unwrap_or_default()
            )));
        }
        let labelled = self.scope().labels.contains_key(WORKLOAD);
        if claimed.is_some() && self.scope().workload.is_none() && !labelled {
            return Err(Denied::Forbidden(format!(
                "the token names no workload, the document claims `{}`; make one that does (`meshd token --workload`)",
                claimed.unwrap_or_default()
            )));
        }
        Ok(())
    }

    /// The services that it would be an instance of, and that are not those of its workload already.
    fn unproven(&self, kri: &Kri, itself: &BundledProxy, with: &Bundle) -> BTreeSet<Kri> {
        let serves: BTreeSet<&Kri> = itself.endpoints.iter().map(|it| &it.service).collect();
        let (mut siblings, mut strangers) = (BTreeSet::new(), BTreeSet::new());
        for (other, proxy) in &with.proxies {
            let same = proxy.workload.is_some() && proxy.workload == itself.workload;
            let of = if same { &mut siblings } else { &mut strangers };
            let shared = proxy.endpoints.iter().map(|it| &it.service);
            of.extend(shared.filter(|service| other != kri && serves.contains(service)));
        }
        let proven = |service: &&&Kri| siblings.contains(*service) && !strangers.contains(*service);
        let open = serves.iter().filter(|service| !proven(service));
        open.map(|service| (*service).clone()).collect()
    }

    /// A Dataplane that has nothing but what the token gives: what it serves, every holder of the token may serve.
    fn probe(&self) -> ((String, String), Vec<u8>) {
        let Scope {
            workload,
            dataplane,
            labels,
        } = self.scope();
        let mut labels = labels.clone();
        if let Some(workload) = workload {
            labels.insert(WORKLOAD.to_owned(), workload.clone());
        }
        let name = match dataplane {
            Some(name) => name.clone(),
            None => format!("probe-{}", crate::random::hex(8)),
        };
        let mut document = self.document.clone();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("name".to_owned(), json!(name));
            fields.insert("labels".to_owned(), json!(labels));
        }
        // JSON is YAML.
        let key = (self.key.0.clone(), name);
        (key, document.to_string().into_bytes())
    }
}

fn find<'a>(bundle: &'a Bundle, key: &(String, String)) -> Option<(&'a Kri, &'a BundledProxy)> {
    let mut proxies = bundle.proxies.iter();
    let found = proxies.find(|(kri, _)| kri.mesh() == key.0 && kri.name() == key.1);
    found.map(|(kri, proxy)| (kri, proxy.as_ref()))
}
