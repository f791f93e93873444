//! How one of the instances of a group is chosen, as the data plane reads it.
//!
//! Never chooses.

use mesh_bundle::resource::Balancer;
use mesh_bundle::resource::load_balancing::HashFunction;

use super::wheel;
use crate::upstream::Ewma;

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    RoundRobin,
    Random,
    LeastRequest {
        choices: usize,
    },
    PeakEwma {
        choices: usize,
        by: Ewma,
    },
    Ring {
        function: HashFunction,
        least: usize,
        most: usize,
    },
    Maglev {
        size: usize,
    },
}

impl Way {
    /// # Errors
    /// JSON pointer into the cluster, and what is wrong there.
    pub(super) fn of(balancer: Option<&Balancer>) -> Result<Self, (String, String)> {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(match balancer {
            None | Some(Balancer::RoundRobin {}) => Self::RoundRobin,
            Some(Balancer::Random {}) => Self::Random,
            // Instances of one group are alike, so of the bias it only counts whether there is one.
            Some(Balancer::LeastRequest { bias, .. }) if bias.value == 0 => Self::Random,
            Some(Balancer::LeastRequest { choices, .. }) => Self::LeastRequest {
                choices: size(choices.value),
            },
            Some(Balancer::PeakEwma {
                choices,
                decay,
                penalty,
            }) => Self::PeakEwma {
                choices: size(choices.value),
                by: Ewma {
                    decay: decay.value.as_std(),
                    penalty: penalty.value.as_std(),
                },
            },
            Some(Balancer::RingHash {
                function,
                min_size,
                max_size,
            }) => Self::Ring {
                function: function.value,
                least: size(min_size.value),
                most: size(max_size.value),
            },
            Some(Balancer::Maglev { table_size }) if !wheel::is_prime(table_size.value) => {
                let pointer = "/balancer/value/tableSize/value".to_owned();
                return Err((
                    pointer,
                    "the size of the table is no prime number".to_owned(),
                ));
            }
            Some(Balancer::Maglev { table_size }) => Self::Maglev {
                size: size(table_size.value),
            },
        })
    }
}
