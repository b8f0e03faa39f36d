//! What the template says of itself, and the changes that moto needs.

use serde_json::Value;

use crate::shell::{python, read, repository};

/// The template as a value; the short forms of functions are written out.
#[track_caller]
pub(crate) fn parsed() -> Value {
    let source = "
import json, sys
from cfnlint.decode import cfn_yaml
print(json.dumps(cfn_yaml.load(sys.argv[1]), default=str))
";
    let text = python(source, &[&repository("deploy/cloudformation/weighbridge.yaml")]);
    serde_json::from_str(&text).expect("it is JSON")
}

/// The template without what moto's CloudFormation does otherwise than AWS's.
#[track_caller]
pub(crate) fn for_moto() -> String {
    let text = read("deploy/cloudformation/weighbridge.yaml");
    // It makes every load balancer an application load balancer, which takes no TCP.
    let text = replaced(&text, "Protocol: !If [WithTls, TLS, TCP]", "Protocol: HTTP");
    // It does not know these two attributes.
    let text =
        replaced(&text, "LoadBalancer.LoadBalancerFullName", "LoadBalancer.LoadBalancerName");
    let text = replaced(&text, "!GetAtt TargetGroup.TargetGroupFullName", "!Ref TargetGroup");
    // It never deletes associations of route tables, and then neither the table nor the VPC.
    let text = without(&text, "  BalancerSubnetARoutes:\n");
    without(&text, "  BalancerSubnetBRoutes:\n")
}

/// `text` with `to` for every `from`, of which there is one at least.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// `text` without the block that begins with the line `head` and is indented further.
#[track_caller]
fn without(text: &str, head: &str) -> String {
    let begin = text.find(head).ok_or(head).expect("it is in the text");
    let rest = &text[begin + head.len()..];
    let length: usize =
        rest.split_inclusive('\n').take_while(|l| l.starts_with("    ")).map(str::len).sum();
    format!("{}{}", &text[..begin], &rest[length..])
}

/// The resources of a `kind`, with their names.
fn resources<'t>(template: &'t Value, kind: &str) -> Vec<(&'t str, &'t Value)> {
    let all = template["Resources"].as_object().expect("it has resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

#[test]
fn it_can_be_sent_without_a_bucket() {
    assert!(read("deploy/cloudformation/weighbridge.yaml").len() < 51_200);
}

#[test]
fn only_the_load_balancer_is_open_to_clients() {
    let template = parsed();
    let mut open = Vec::new();
    for (name, group) in resources(&template, "AWS::EC2::SecurityGroup") {
        for rule in group["SecurityGroupIngress"].as_array().into_iter().flatten() {
            open.push((name, rule["FromPort"].clone()));
        }
    }
    assert_eq!(open, [("LoadBalancerSecurityGroup", serde_json::json!({"Ref": "ListenPort"}))]);
}

#[test]
fn everybody_else_is_reached_by_the_one_before() {
    let template = parsed();
    let mut rules = Vec::new();
    for (name, rule) in resources(&template, "AWS::EC2::SecurityGroupIngress") {
        let from = match &rule["SourceSecurityGroupId"]["Fn::GetAtt"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts[0].as_str().expect("a name").to_owned(),
            _ => rule["CidrIp"]["Ref"].as_str().expect("a parameter").to_owned(),
        };
        let from = from.trim_end_matches(".GroupId").to_owned();
        rules.push((name, rule["FromPort"].as_u64().expect("a port"), from));
    }
    rules.sort();
    let rules: Vec<_> = rules.iter().map(|(name, port, from)| (*name, *port, &**from)).collect();
    assert_eq!(
        rules,
        [
            // Only where an operator names addresses.
            ("BalancerAdmin", 9090, "AdminCidr"),
            ("BalancerHealthChecks", 9090, "LoadBalancerSecurityGroup"),
            ("BalancerRequests", 8000, "LoadBalancerSecurityGroup"),
            ("BalancerSsh", 22, "SshCidr"),
            ("WorkerRequests", 8080, "BalancerSecurityGroup"),
        ]
    );
    for (optional, condition) in
        [("BalancerAdmin", "WithAdminCidr"), ("BalancerSsh", "WithSshCidr")]
    {
        assert_eq!(template["Resources"][optional]["Condition"], condition);
        assert_eq!(template["Parameters"][condition.trim_start_matches("With")]["Default"], "");
    }
}

#[test]
fn workers_have_no_role_and_no_way_out() {
    let template = parsed();
    let worker = &template["Resources"]["WorkerLaunchTemplate"]["Properties"]["LaunchTemplateData"];
    assert_eq!(worker["ImageId"]["Ref"], "ImageId", "it is looked at the right thing");
    assert!(worker.get("IamInstanceProfile").is_none());
    let group = &template["Resources"]["WorkerSecurityGroup"]["Properties"];
    let out = group["SecurityGroupEgress"].as_array().expect("rules");
    assert_eq!(out.len(), 1);
    assert_eq!(out[0]["CidrIp"], "127.0.0.1/32");
}

#[test]
fn every_instance_wants_tokens_for_its_metadata() {
    let template = parsed();
    let templates = resources(&template, "AWS::EC2::LaunchTemplate");
    assert_eq!(templates.len(), 2);
    for (name, properties) in templates {
        let options = &properties["LaunchTemplateData"]["MetadataOptions"];
        assert_eq!(options["HttpTokens"], "required", "{name}");
    }
}
