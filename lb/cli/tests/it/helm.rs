//! The chart, rendered by Helm itself and checked by the schemas of Kubernetes' API. Definitions
//! that others add to it (KEDA's, Prometheus Operator's) have no schema here.

use serde_json::{Value, json};

use crate::emulators::{program, repository};
use crate::harness::balancer::run;

/// Prints the objects of the chart with those values, as a list of JSON; or why there are none.
const RENDER: &str = "
import json, sys, yaml
import helm_python as helm
import kubernetes_validate
chart, values = sys.argv[1], json.loads(sys.argv[2])
try:
    rendered = helm.Chart.load(chart).render(values, name='shop', namespace='web')
except helm.HelmError as error:
    print(json.dumps({'refused': str(error)}))
    sys.exit()
found = helm.lint(chart, values, strict=True, namespace='web')
# That a picture would be nice is no warning.
loud = [one for one in found['messages'] if one['severity'] > 1]
assert not found['errors'] and not loud, found
texts = [text for name, text in rendered.items() if not name.endswith('.txt')]
objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
for one in objects:
    if one['apiVersion'].split('/')[0] not in ('keda.sh', 'monitoring.coreos.com'):
        kubernetes_validate.validate(one, '1.37', strict=True)
print(json.dumps(objects))
";

/// What comes of the chart with these values.
#[track_caller]
fn render(values: &Value) -> Value {
    let mut command = program("python");
    command.args(["-c", RENDER]).arg(repository().join("deploy/helm")).arg(values.to_string());
    let output = command.output().expect("Python is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{values}: {told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The objects of the chart with these values.
#[track_caller]
fn rendered(values: &Value) -> Vec<Value> {
    let objects = render(values);
    assert!(objects.is_array(), "{values}: {objects}");
    objects.as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn one<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let is_it = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
    let found = objects.iter().find(is_it);
    assert!(found.is_some(), "no {kind} {name}");
    found.expect("as asserted")
}

/// Values that show every part of the chart, a way each.
fn ways() -> [Value; 4] {
    [
        json!({}),
        json!({
            "scale": { "keda": true, "podsMin": 0, "config": "stable_window = \"2m\"" },
            "serviceMonitor": { "enabled": true, "labels": { "release": "prometheus" } },
        }),
        json!({
            "worker": { "enabled": false },
            "hostPods": {
                "address": "api.shop.svc.cluster.local:8080",
                "config": "cores = 4\nhealth.path = \"/healthz\"",
            },
            "podDeletionCost": false,
        }),
        json!({
            "balancer": {
                "config": "log_level = \"warn\"\n[[routes]]\nname = \"all\"\npath = \"/\"\n",
                "timeouts": "drain = \"20s\"",
                "service": { "type": "LoadBalancer", "annotations": { "a": "b" } },
            },
            "worker": { "arguments": ["--body=64MiB"], "cores": 2 },
            "imagePullSecrets": [{ "name": "registry" }],
            "nodeSelector": { "pool": "web" },
            "tolerations": [{ "key": "web", "operator": "Exists" }],
            "affinity": { "nodeAffinity": {} },
            "podDisruptionBudget": { "enabled": false },
        }),
    ]
}

#[test]
fn every_way_is_what_the_api_takes_and_a_configuration_that_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    for (nth, values) in ways().iter().enumerate() {
        let objects = rendered(values);
        let config = one(&objects, "ConfigMap", "shop-weighbridge");
        let config = config["data"]["weighbridge.toml"].as_str().expect("a file");
        let file = folder.path().join(format!("{nth}.toml"));
        std::fs::write(&file, config).expect("it is writable");
        let checked = run(["check", file.to_str().expect("text")]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// Names of ports, objects and labels lead to what there is.
#[test]
fn what_the_chart_names_is_there() {
    for values in ways() {
        let objects = rendered(&values);
        let pods: Vec<&Value> = objects.iter().filter(|one| one["kind"] == "Deployment").collect();
        let selects = |selector: &Value| {
            let selector = selector.as_object().expect("labels");
            let has = |pod: &&&Value| {
                let labels = &pod["spec"]["template"]["metadata"]["labels"];
                selector.iter().all(|(name, value)| labels[name] == *value)
            };
            let found: Vec<_> = pods.iter().filter(has).collect();
            assert_eq!(found.len(), 1, "{selector:?}");
            &found[0]["spec"]["template"]["spec"]
        };
        for object in &objects {
            match object["kind"].as_str().expect("a kind") {
                "Service" => {
                    let pod = selects(&object["spec"]["selector"]);
                    for port in object["spec"]["ports"].as_array().expect("ports") {
                        let ports = pod["containers"][0]["ports"].as_array().expect("ports");
                        assert!(
                            ports.iter().any(|one| one["name"] == port["targetPort"]),
                            "{port}"
                        );
                    }
                }
                "PodDisruptionBudget" | "Deployment" => {
                    selects(&object["spec"]["selector"]["matchLabels"]);
                }
                _ => {}
            }
        }
        let balancer = one(&objects, "Deployment", "shop-weighbridge");
        let pod = &balancer["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().expect("a name");
        one(&objects, "ServiceAccount", account);
        let told = values["podDeletionCost"] != false;
        assert_eq!(pod["automountServiceAccountToken"], told);
        assert_eq!(objects.iter().any(|one| one["kind"] == "RoleBinding"), told);
    }
}

/// What the loop in `lb/proxy/src/pods` calls, and no more.
#[test]
fn the_role_is_what_the_balancer_asks_for() {
    let objects = rendered(&json!({}));
    let role = one(&objects, "Role", "shop-weighbridge");
    let expected =
        json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"] }]);
    assert_eq!(role["rules"], expected);
    let calls = include_str!("../../../proxy/src/pods/api.rs");
    let methods = calls.matches("self.ask(Method::").count();
    assert_eq!(methods, 2, "a call more needs a verb");
}

#[test]
fn keda_finds_the_balancer_and_scales_the_workers_alone() {
    let objects = rendered(&ways()[1]);
    let scaled = &one(&objects, "ScaledObject", "shop-weighbridge-worker")["spec"];
    let worker = one(&objects, "Deployment", "shop-weighbridge-worker");
    assert_eq!(scaled["scaleTargetRef"]["name"], worker["metadata"]["name"]);
    assert_eq!(worker["spec"].get("replicas"), None, "two would pull at it");
    let trigger = &scaled["triggers"][0];
    assert_eq!(
        (&trigger["type"], &scaled["minReplicaCount"]),
        (&"external-push".into(), &0.into())
    );
    let address = trigger["metadata"]["scalerAddress"].as_str().expect("an address");
    let (host, port) = address.split_once(':').expect("a port");
    assert_eq!(host, "shop-weighbridge-admin.web.svc.cluster.local");
    let service = one(&objects, "Service", "shop-weighbridge-admin");
    let ports = service["spec"]["ports"].as_array().expect("ports");
    let keda = ports.iter().find(|one| one["name"] == "keda").expect("a port for it");
    assert_eq!(keda["port"].to_string(), port);
    let config = one(&objects, "ConfigMap", "shop-weighbridge")["data"]["weighbridge.toml"].clone();
    assert!(config.as_str().expect("a file").contains("keda = \"0.0.0.0:9091\""), "{config}");
    let monitor = &one(&objects, "ServiceMonitor", "shop-weighbridge")["spec"];
    let labels = &service["metadata"]["labels"];
    let wanted = monitor["selector"]["matchLabels"].as_object().expect("labels");
    assert!(wanted.iter().all(|(name, value)| labels[name] == *value), "{labels}");
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (values, why) in [
        (json!({ "worker": { "enabled": false } }), "expected hostPods.address"),
        (
            json!({
                "worker": { "enabled": false },
                "hostPods": { "address": "a.b:80" },
                "scale": { "keda": true },
            }),
            "expected worker.enabled = true",
        ),
        (json!({ "balancer": { "replicas": 0 } }), "minimum"),
        (json!({ "balancr": {} }), "balancr"),
    ] {
        let said = render(&values);
        let refused = said["refused"].as_str().unwrap_or_default();
        assert!(refused.contains(why), "{values}: {said}");
    }
}
