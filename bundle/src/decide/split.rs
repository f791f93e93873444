//! Which share of a split serves one request or connection (language 5.1.6 and 5.2).
//!
//! Never remembers: equal rolls give equal choices.

use crate::kri::Kri;
use crate::origin::Origin;
use crate::resource::WeightedBackend;

/// Who serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// An endpoint of this cluster.
    Cluster {
        /// The service port.
        kri: &'a Kri,
        /// The backend reference.
        origin: &'a Origin,
    },
    /// Nobody: 500 for a request, a refusal for a connection.
    Unresolved {
        /// The reference that does not resolve; `None` where there is none at all.
        origin: Option<&'a Origin>,
    },
}

/// Takes the share that `roll`, modulo the sum of weights, falls into. A share of weight 0 is never taken; one that does
/// not resolve keeps its weight, so the others do not receive more than the document says.
#[must_use]
pub fn choose(backends: &[WeightedBackend], roll: u64) -> Choice<'_> {
    let sum: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
    let Some(mut left) = roll.checked_rem(sum) else {
        let origin = backends.first().map(|backend| &backend.origin);
        return Choice::Unresolved { origin };
    };
    for backend in backends {
        let weight = u64::from(backend.weight);
        if left < weight {
            let origin = &backend.origin;
            return match &backend.cluster {
                Some(kri) => Choice::Cluster { kri, origin },
                None => Choice::Unresolved {
                    origin: Some(origin),
                },
            };
        }
        left -= weight;
    }
    // Not reached: `left` began below the sum of the weights.
    Choice::Unresolved { origin: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(line: u32) -> Origin {
        Origin {
            resource: "kri_mhr_default___r_".parse().unwrap(),
            file: "routes.yaml".to_owned(),
            line,
        }
    }

    fn backend(line: u32, weight: u32, resolved: bool) -> WeightedBackend {
        let cluster = resolved.then(|| format!("kri_msvc_default___s{line}_http").parse().unwrap());
        WeightedBackend {
            cluster,
            weight,
            origin: origin(line),
        }
    }

    fn line(choice: Choice<'_>) -> Option<(u32, bool)> {
        match choice {
            Choice::Cluster { origin, .. } => Some((origin.line, true)),
            Choice::Unresolved { origin } => origin.map(|origin| (origin.line, false)),
        }
    }

    proptest! {
        /// Over one whole turn of rolls, every share is taken exactly as often as its weight says.
        #[test]
        fn exact(shares in prop::collection::vec((0_u32..40, any::<bool>()), 0..6), turn in 0_u64..1000) {
            let backends: Vec<_> = (0..).zip(&shares).map(|(i, (w, r))| backend(i, *w, *r)).collect();
            let sum: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
            let mut taken = vec![0; shares.len()];
            for roll in 0..sum {
                let (index, resolved) = line(choose(&backends, turn * sum + roll)).unwrap();
                prop_assert_eq!(resolved, shares[index as usize].1);
                taken[index as usize] += 1;
            }
            let weights: Vec<u32> = shares.iter().map(|(weight, _)| *weight).collect();
            prop_assert_eq!(taken, weights);
        }
    }

    #[test]
    fn nothing_to_choose_from() {
        assert_eq!(choose(&[], 7), Choice::Unresolved { origin: None });
        assert_eq!(line(choose(&[backend(3, 0, true)], 7)), Some((3, false)));
    }

    #[test]
    fn weights_up_to_the_whole_range() {
        let backends = [backend(0, u32::MAX, true), backend(1, u32::MAX, true)];
        assert_eq!(
            line(choose(&backends, u64::from(u32::MAX) - 1)),
            Some((0, true))
        );
        assert_eq!(
            line(choose(&backends, u64::from(u32::MAX))),
            Some((1, true))
        );
        // 2^64-1 is an odd multiple of 2^32-1: the second half of a turn, to the roll.
        assert_eq!(line(choose(&backends, u64::MAX)), Some((1, true)));
    }
}
