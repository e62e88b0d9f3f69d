//! Alerts and the dashboard ask only for metrics that somebody has.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::{Package, list, text};

/// By source: the blackbox exporter, kube-state-metrics, the kubelet, ingress-nginx.
const KNOWN: [&str; 11] = [
    "probe_success",
    "probe_ssl_earliest_cert_expiry",
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_restarts_total",
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "nginx_ingress_controller_requests",
];
const HISTOGRAM: &str = "nginx_ingress_controller_request_duration_seconds_bucket";

fn metrics(expression: &str) -> BTreeSet<String> {
    let quoted = Regex::new(r#""[^"]*""#).expect("a pattern");
    let grouped = Regex::new(r"\b(by|without)\s*\([^)]*\)").expect("a pattern");
    let inside = Regex::new(r"\{[^}]*\}|\[[^\]]*\]").expect("a pattern");
    let name = Regex::new(r"[a-z]+(_[a-z0-9]+)+").expect("a pattern");
    let bare = quoted.replace_all(expression, "");
    let bare = grouped.replace_all(&bare, "");
    let bare = inside.replace_all(&bare, "");
    let names = name.find_iter(&bare).map(|found| found.as_str().to_owned());
    names.filter(|name| name != "histogram_quantile").collect()
}

#[test]
fn alerts_and_panels_ask_for_metrics_that_are_known() {
    let package = Package::load("large", "kubernetes/overlays/large");
    let rules = package.of_kind("PrometheusRule").next().expect("alerts");
    let rules: Vec<&Value> = list(rules, "/spec/groups")
        .iter()
        .flat_map(|group| list(group, "/rules"))
        .collect();
    let dashboard = package.find("ConfigMap", "portico-dashboard").expect("a dashboard");
    let dashboard: Value = serde_json::from_str(text(dashboard, "/data/portico.json")).expect("JSON");
    let panels = list(&dashboard, "/panels")
        .iter()
        .flat_map(|panel| list(panel, "/targets"));
    let mut seen = BTreeSet::new();
    for query in rules.iter().copied().chain(panels) {
        let expression = text(query, "/expr");
        let found = metrics(expression);
        assert!(!found.is_empty(), "{expression}");
        for metric in found {
            assert!(
                KNOWN.contains(&metric.as_str()) || metric == HISTOGRAM,
                "{metric} in {expression}"
            );
            seen.insert(metric);
        }
    }
    let unused: Vec<&str> = KNOWN.iter().copied().filter(|known| !seen.contains(*known)).collect();
    assert!(unused.is_empty(), "nothing asks for {unused:?}");
    for rule in rules {
        for what in [
            "/alert",
            "/labels/severity",
            "/annotations/summary",
            "/annotations/description",
        ] {
            assert!(!text(rule, what).is_empty(), "{rule} has no {what}");
        }
    }
}

#[test]
fn names_of_metrics_are_found() {
    let found = metrics(r#"sum by (le_x) (rate(a_b_total{c_d="e_f", g=~"h_i"}[5m])) / a_c > 0.9"#);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a_b_total", "a_c"]);
}
