//! What becomes of pools when there is another table.
//!
//! Never closes what is under way to where the new table still leads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::{Kind, Pool, PoolKey, Upstreams, Via};
use crate::table::{ClusterTable, Instance, Table};
use crate::tls::Role;

impl Upstreams {
    /// Ends what the new table no longer leads to, or no longer trusts. What is under way on a connection that only lost
    /// its place ends by itself; what is under way to somebody who is not trusted any more is cut. After a new
    /// certificate of this proxy, requests go over connections that were opened with it.
    pub(crate) fn follow(&self, old: &Table, table: &Table) {
        let same_trust = old.trust.is_same_as(&table.trust);
        let same_identity = match (&old.identity, &table.identity) {
            (Some(old), Some(new)) => old.is_same_as(new),
            (None, None) => true,
            _ => false,
        };
        let mut wanted: HashMap<PoolKey, Option<&ClusterTable>> = HashMap::new();
        for inbound in table.inbounds.values() {
            want(
                &mut wanted,
                &Via::workload(inbound),
                [&inbound.workload],
                None,
            );
        }
        for cluster in &table.clusters {
            let via = Via::cluster(cluster);
            want(&mut wanted, &via, &cluster.instances, Some(cluster));
        }
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let owners: HashSet<&Arc<str>> = wanted.keys().map(|key| &key.owner).collect();
        loads.retain(|name, _| owners.contains(name));
        drop(loads);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|key, pool| match wanted.get(key) {
            None => {
                pool.retire();
                false
            }
            Some(None) => true,
            Some(Some(cluster)) => {
                pool.keep_peers(table.serial, |peer| {
                    let trusted = || peer.is_trusted_by(&table.trust, Role::Server);
                    cluster.identities.contains(&peer.id) && (same_trust || trusted())
                });
                if key.kind == Kind::Mesh && !same_identity {
                    pool.retire();
                    *pool = Arc::new(pool.renewed());
                }
                true
            }
        });
        // Who is known to be unwell is so from the first request on that looks at the new table, and who is new is new.
        let known = Known::of(old, table);
        for cluster in &table.clusters {
            let via = Via::cluster(cluster);
            let others = known.others(cluster);
            for instance in &cluster.instances {
                let Ok(key) = via.key(instance) else {
                    continue;
                };
                if others.is_some_and(|others| !others.contains(&*instance.label)) {
                    let pool = pools.entry(key);
                    let pool = pool.or_insert_with_key(|key| Arc::new(Pool::new(key.clone())));
                    pool.joins();
                    instance.pool.get_or_init(|| Arc::clone(pool));
                } else if let Some(pool) = pools.get(&key) {
                    instance.pool.get_or_init(|| Arc::clone(pool));
                }
            }
        }
    }
}

/// Which instances there were before, of the clusters in which that makes a difference.
#[derive(Debug, Default)]
struct Known<'t>(HashMap<&'t str, HashSet<&'t str>>);

impl<'t> Known<'t> {
    fn of(old: &'t Table, table: &Table) -> Self {
        let slow = |cluster: &&Arc<ClusterTable>| cluster.balance.starts_slowly();
        let slow: HashSet<&str> = table
            .clusters
            .iter()
            .filter(slow)
            .map(|it| &*it.label)
            .collect();
        let before = old.clusters.iter();
        let before = before.filter(|it| slow.contains(&*it.label) && !it.instances.is_empty());
        let labels =
            |it: &'t Arc<ClusterTable>| it.instances.iter().map(|one| &*one.label).collect();
        Self(before.map(|it| (&*it.label, labels(it))).collect())
    }

    /// `None`: all are alike.
    fn others(&self, cluster: &ClusterTable) -> Option<&HashSet<&'t str>> {
        self.0.get(&*cluster.label)
    }
}

fn want<'a, 'i>(
    wanted: &mut HashMap<PoolKey, Option<&'a ClusterTable>>,
    via: &Via<'_>,
    instances: impl IntoIterator<Item = &'i Instance>,
    cluster: Option<&'a ClusterTable>,
) {
    for instance in instances {
        if let Ok(key) = via.key(instance) {
            wanted.insert(key, cluster);
        }
    }
}
