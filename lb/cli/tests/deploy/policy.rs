//! The balancers' rights against the calls in the code: none is missing, none is too many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::shell::{files_below, python, repository};
use crate::template::parsed;

/// Rights that a call needs beside its own: tags that are set at launch.
const IMPLIED: [(&str, &str); 1] = [("ec2:RunInstances", "ec2:CreateTags")];

/// Calls whose right is called otherwise.
const RENAMED: [(&str, &str); 9] = [
    ("lambda:Invoke", "lambda:InvokeFunction"),
    // What it writes is what it needs the rights for, and all of that is written alone too.
    ("dynamodb:TransactWriteItems", "dynamodb:UpdateItem"),
    ("s3:CompleteMultipartUpload", "s3:PutObject"),
    ("s3:CreateMultipartUpload", "s3:PutObject"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:UploadPart", "s3:PutObject"),
    ("sqs:ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
    ("sqs:DeleteMessageBatch", "sqs:DeleteMessage"),
];

/// Policies that are not for the balancer but for programs beside it.
const BESIDE: [&str; 2] = ["LogsPolicy", "SessionPolicy"];

/// Rust files below `folder`, tests left out, grouped by the module right below `folder`.
fn modules(folder: &Path) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let is_of_tests = |path: &Path| path.file_stem().is_some_and(|stem| stem == "tests");
    for path in files_below(folder.to_owned(), is_of_tests) {
        let inside = path.strip_prefix(folder).expect("it is below");
        let module = inside.components().next().expect("it has a name").as_os_str();
        let module = module.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        texts.entry(module).or_default().push_str(&code);
    }
    texts
}

/// The services of which `text` names the SDK.
fn services(text: &str) -> BTreeSet<String> {
    let named = text
        .split("aws_sdk_")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>());
    named.collect()
}

/// Operations of each service by their names in Rust, from botocore's models of the services.
fn operations(services: &BTreeSet<String>) -> BTreeMap<String, BTreeMap<String, String>> {
    let source = "
import json, sys
import botocore.session
from botocore import xform_name
session = botocore.session.get_session()
print(json.dumps({service: {xform_name(name): name
    for name in session.get_service_model(service).operation_names} for service in sys.argv[1:]}))
";
    let names: Vec<&Path> = services.iter().map(Path::new).collect();
    serde_json::from_str(&python(source, &names)).expect("it is JSON")
}

/// Whether `text` begins the builder of the call `name`: `.run_instances()`.
fn calls(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].trim_end();
        let after = text[at + name.len()..].trim_start();
        before.ends_with('.')
            && after.strip_prefix('(').is_some_and(|rest| rest.trim_start().starts_with(')'))
    })
}

/// The rights that the code of `lb/aws` needs.
#[track_caller]
fn needed() -> BTreeSet<String> {
    let modules = modules(&repository("lb/aws/src"));
    let all = modules.values().flat_map(|text| services(text)).collect();
    let operations = operations(&all);
    let mut needed = BTreeSet::new();
    for (module, text) in &modules {
        assert!(!text.contains("wait_until_"), "{module}: waiters call something; name it here");
        for service in services(text) {
            let of_service = &operations[&service];
            let called = of_service.iter().filter(|(name, _)| calls(text, name));
            needed.extend(called.map(|(_, operation)| format!("{service}:{operation}")));
        }
    }
    let renamed = |right: String| {
        let other = RENAMED.iter().find(|(call, _)| *call == right);
        other.map_or(right.clone(), |(_, other)| (*other).to_owned())
    };
    let mut needed: BTreeSet<String> = needed.into_iter().map(renamed).collect();
    for (call, right) in IMPLIED {
        if needed.contains(call) {
            needed.insert(right.to_owned());
        }
    }
    needed
}

/// Every statement of the balancers' policies.
fn statements(template: &Value) -> Vec<&Value> {
    let resources = template["Resources"].as_object().expect("it has resources");
    let policies = resources.iter().filter(|(name, resource)| {
        resource["Type"] == "AWS::IAM::Policy" && !BESIDE.contains(&name.as_str())
    });
    policies
        .flat_map(|(_, policy)| {
            policy["Properties"]["PolicyDocument"]["Statement"].as_array().into_iter().flatten()
        })
        .collect()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

#[test]
fn balancers_may_do_what_the_code_calls_and_nothing_else() {
    let template = parsed();
    let granted: BTreeSet<String> = statements(&template)
        .into_iter()
        .inspect(|statement| assert_eq!(statement["Effect"], "Allow"))
        .flat_map(|statement| texts(&statement["Action"]))
        .map(str::to_owned)
        .collect();
    let needed = needed();
    let missing: Vec<_> = needed.difference(&granted).collect();
    let spare: Vec<_> = granted.difference(&needed).collect();
    assert!(missing.is_empty() && spare.is_empty(), "missing {missing:?}, not called {spare:?}");
}

#[test]
fn a_right_is_for_the_deployments_own_resources_where_iam_can_say_so() {
    // Those for which IAM has no resources.
    let anywhere = [
        "autoscaling:DescribeAutoScalingGroups",
        "cloudwatch:GetMetricData",
        "ec2:DescribeInstances",
    ];
    let template = parsed();
    let mut found = Vec::new();
    for statement in statements(&template) {
        let actions = texts(&statement["Action"]);
        assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
        if statement["Resource"] == "*" {
            found.extend(actions);
            continue;
        }
        let narrow = statement.get("Condition").is_some();
        // What is below one that is the deployment's own is its own too.
        let resources = statement["Resource"].to_string();
        let resources = ["table/${Name}-jobs/index/*", "-${AWS::Region}/jobs/*"]
            .iter()
            .fold(resources, |rest, own| rest.replace(own, ""));
        assert!(narrow || !resources.contains("/*"), "{actions:?}: {resources}");
    }
    found.sort_unstable();
    assert_eq!(found, anywhere);
}

#[test]
fn calls_are_found_however_they_are_broken_and_only_calls() {
    assert!(calls("self.client\n    .run_instances()\n    .send()", "run_instances"));
    assert!(calls("client.query( )", "query"));
    assert!(!calls("uri.query_pairs()", "query"));
    assert!(!calls("fn run_instances() {}", "run_instances"));
    assert!(!calls("self.run_instances(3)", "run_instances"));
}

#[test]
fn balancers_make_tables_only_where_the_stack_does_not() {
    let template = parsed();
    let resources = template["Resources"].as_object().expect("it has resources");
    let may_make: Vec<_> = resources
        .iter()
        .filter(|(_, policy)| policy.to_string().contains("dynamodb:CreateTable"))
        .map(|(name, policy)| (name.as_str(), policy["Condition"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(may_make, [("MakeTablesPolicy", "GivenTables")]);
    let given = &template["Conditions"]["GivenTables"]["Fn::Equals"];
    assert_eq!(*given, serde_json::json!([{ "Ref": "CreateTables" }, "false"]));
}
