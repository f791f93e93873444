//! How servers are probed, for people.
//!
//! Never shows a switch that nobody has touched.

use std::fmt::Display;

use mesh_bundle::resource::{HealthCheck, HttpProbe, Payload, Probe, TcpProbe};
use mesh_bundle::{Key, Sourced};

use super::proxy::Telling;

/// Where the probes are in a resource.
const PLACE: &str = "healthCheck";

impl Telling<'_> {
    pub(super) fn health_check(&mut self, check: &HealthCheck, key: &Key) {
        match &check.probe {
            Probe::Tcp(probe) => self.tcp_probe(probe, key),
            Probe::Http(probe) => self.http_probe(probe, key),
            Probe::Grpc(probe) => {
                self.page.line(1, "probe       gRPC health protocol");
                self.touched(
                    "service",
                    probe.service_name.as_ref(),
                    key,
                    "probe/serviceName",
                );
                self.touched(
                    "authority",
                    probe.authority.as_ref(),
                    key,
                    "probe/authority",
                );
            }
        }
        self.probed("every", &check.interval, key, "interval");
        let quiet = (check.no_traffic_interval).map_ref(|span| format!("{span} without traffic"));
        self.probed("", &quiet, key, "noTrafficInterval");
        self.probed("timeout", &check.timeout, key, "timeout");
        let unhealthy =
            (check.unhealthy_threshold).map_ref(|number| format!("after {number} failures"));
        self.probed("unhealthy", &unhealthy, key, "unhealthyThreshold");
        let healthy =
            (check.healthy_threshold).map_ref(|number| format!("after {number} successes"));
        self.probed("healthy", &healthy, key, "healthyThreshold");
        for (name, field, switch) in [
            (
                "fail panic",
                "failTrafficOnPanic",
                &check.fail_traffic_on_panic,
            ),
            ("reuse conn", "reuseConnection", &check.reuse_connection),
            ("log all", "alwaysLogFailures", &check.always_log_failures),
        ] {
            let touched = Some(switch).filter(|switch| switch.origin.is_some());
            self.touched(name, touched, key, field);
        }
        self.touched(
            "log file",
            check.event_log_path.as_ref(),
            key,
            "eventLogPath",
        );
        self.touched(
            "jitter",
            check.interval_jitter.as_ref(),
            key,
            "intervalJitter",
        );
        let share = check.interval_jitter_percent.as_ref();
        let share = share.map(|share| share.map_ref(|share| format!("{share} % of the interval")));
        self.touched("jitter", share.as_ref(), key, "intervalJitterPercent");
        self.touched(
            "first wait",
            check.initial_jitter.as_ref(),
            key,
            "initialJitter",
        );
    }

    fn tcp_probe(&mut self, probe: &TcpProbe, key: &Key) {
        self.page.line(1, "probe       connect");
        self.touched("send", probe.send.as_ref(), key, "probe/send");
        let receive = probe.receive.as_ref().map(|receive| {
            receive.map_ref(|list| {
                let list: Vec<String> = list.iter().map(Payload::to_string).collect();
                list.join(", ")
            })
        });
        self.touched("receive", receive.as_ref(), key, "probe/receive");
    }

    fn http_probe(&mut self, probe: &HttpProbe, key: &Key) {
        let path = probe.path.map_ref(|path| format!("GET {path}"));
        self.probed("probe", &path, key, "probe/path");
        let statuses = probe.expected_statuses.map_ref(|statuses| {
            let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
            statuses.join(", ")
        });
        self.probed("expect", &statuses, key, "probe/expectedStatuses");
        for (name, field, headers) in [
            ("set header", "probe/setHeaders", &probe.set_headers),
            ("add header", "probe/addHeaders", &probe.add_headers),
        ] {
            let headers = headers.as_ref().map(|headers| {
                headers.map_ref(|headers| {
                    let headers = headers.iter().map(|h| format!("{}: {}", h.name, h.value));
                    headers.collect::<Vec<_>>().join(", ")
                })
            });
            self.touched(name, headers.as_ref(), key, field);
        }
    }

    fn probed<T: Display>(&mut self, name: &str, value: &Sourced<T>, key: &Key, field: &str) {
        self.value(1, name, value, key, &format!("{PLACE}/{field}"));
    }

    fn touched<T: Display>(
        &mut self,
        name: &str,
        value: Option<&Sourced<T>>,
        key: &Key,
        field: &str,
    ) {
        if let Some(value) = value {
            self.probed(name, value, key, field);
        }
    }
}
