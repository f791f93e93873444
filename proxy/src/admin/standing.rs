//! How the proxy is, as metrics: looked up whenever somebody asks, on whatever endpoint.
//!
//! Never keeps a number: what it shows is what is seen at this moment.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use crate::clock::unix_now;
use crate::control::view::View;

/// What the control side sees.
#[derive(Debug)]
pub(super) struct Standing(pub(super) watch::Receiver<View>);

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let view = self.0.borrow().clone();
        let applied = view.applied.as_ref();
        let seconds = |end: Option<u64>| end.and_then(|end| i64::try_from(end).ok()).unwrap_or(0);
        let svid_end = applied.and_then(|applied| applied.certificate_not_after());
        for (name, help, value) in [
            (
                "mesh_proxy_ready",
                "Listeners are open and certificates valid.",
                i64::from(view.unready(unix_now()).is_none()),
            ),
            (
                "mesh_proxy_connected",
                "A session with meshd is open.",
                i64::from(view.connected),
            ),
            (
                "mesh_proxy_unhealthy_inbounds",
                "Inbounds whose workload does not answer its probe.",
                i64::try_from(view.unhealthy.len()).unwrap_or(i64::MAX),
            ),
            (
                "mesh_proxy_cert_expiry_seconds",
                "When the certificate ends that peers see, seconds since 1970; 0: none.",
                seconds(svid_end),
            ),
            (
                "mesh_proxy_control_cert_expiry_seconds",
                "When the certificate ends that meshd sees, seconds since 1970; 0: none.",
                seconds(view.control_not_after),
            ),
        ] {
            let gauge = ConstGauge::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)?;
        }
        Ok(())
    }
}
