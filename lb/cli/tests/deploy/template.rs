//! What the template says of itself, and the changes that moto needs.

use serde_json::Value;

use crate::shell::{python, read, repository};

/// The template of where jobs are kept.
pub(crate) const JOBS: &str = "deploy/cloudformation/jobs.yaml";

/// The template of what a contract of jobs names.
pub(crate) const CONTRACT: &str = "deploy/cloudformation/contract.yaml";

/// The template as a value; the short forms of functions are written out.
#[track_caller]
pub(crate) fn parsed() -> Value {
    parsed_file("deploy/cloudformation/weighbridge.yaml")
}

/// The same of another file.
#[track_caller]
fn parsed_file(path: &str) -> Value {
    let source = "
import json, sys
from cfnlint.decode import cfn_yaml
print(json.dumps(cfn_yaml.load(sys.argv[1]), default=str))
";
    let text = python(source, &[&repository(path)]);
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
    let text = replaced(&text, "      - Network\n", "");
    let text = replaced(&text, "    DependsOn: Network\n", "");
    // It wants the size of a disk that has its image's.
    let text = replaced(&text, "VolumeType: gp3 }", "VolumeType: gp3, VolumeSize: 8 }");
    // It never deletes a target group, so the next one needs another name.
    let mut text = replaced(&text, "      Name: !Sub \"${Name}-balancers\"\n", "");
    // It never deletes route tables, and then not the VPC either: out with all that is about them.
    for name in [
        "BalancerSubnetARoutes",
        "BalancerSubnetBRoutes",
        "TablesEndpoint",
        "PublicRoute",
        "PublicRoutes",
        // It refers to them.
        "Network",
    ] {
        text = without(&text, &format!("  {name}:\n"));
    }
    text
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
            ("WorkerRequests", 8080, "BalancerSecurityGroup"),
        ]
    );
    assert_eq!(template["Resources"]["BalancerAdmin"]["Condition"], "WithAdminCidr");
    assert_eq!(template["Parameters"]["AdminCidr"]["Default"], "");
}

/// A shell comes by Session Manager, whose agent calls out.
#[test]
fn no_instance_has_a_key_and_balancers_have_a_session() {
    let template = parsed();
    assert!(!template.to_string().contains("KeyName\":"), "no instance has a key");
    let session = &template["Resources"]["SessionPolicy"]["Properties"]["PolicyDocument"];
    let actions = session["Statement"][0]["Action"].as_array().expect("a list");
    assert!(actions.iter().any(|action| action == "ssmmessages:OpenDataChannel"), "{actions:?}");
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

#[test]
fn what_is_kept_is_encrypted_and_can_be_restored() {
    let template = parsed();
    for (name, properties) in resources(&template, "AWS::EC2::LaunchTemplate") {
        let disks = properties["LaunchTemplateData"]["BlockDeviceMappings"].as_array();
        let disks = disks.ok_or(name).expect("it has disks");
        assert!(disks.iter().all(|disk| disk["Ebs"]["Encrypted"] == true), "{name}");
    }
    let tables = resources(&template, "AWS::DynamoDB::Table");
    assert_eq!(tables.len(), 2);
    let jobs = parsed_file(JOBS);
    for (name, properties) in tables.into_iter().chain(resources(&jobs, "AWS::DynamoDB::Table")) {
        let recovery = &properties["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{name}");
    }
}

#[test]
fn objects_of_jobs_are_private_and_encrypted_and_travel_by_tls() {
    for (file, n_buckets) in [(JOBS, 1), (CONTRACT, 2)] {
        let template = parsed_file(file);
        let buckets = resources(&template, "AWS::S3::Bucket");
        let policies = resources(&template, "AWS::S3::BucketPolicy");
        assert_eq!((buckets.len(), policies.len()), (n_buckets, n_buckets), "{file}");
        for (name, bucket) in buckets {
            let blocked = bucket["PublicAccessBlockConfiguration"].as_object();
            let blocked = blocked.ok_or(name).expect("it is blocked");
            assert!(blocked.len() == 4 && blocked.values().all(|all| all == true), "{blocked:?}");
            assert!(bucket["BucketEncryption"].to_string().contains("AES256"), "{name}");
            let rules = bucket["LifecycleConfiguration"]["Rules"].to_string();
            assert!(rules.contains("AbortIncompleteMultipartUpload"), "{name}: {rules}");
            let own = |(_, policy): &&(&str, &Value)| policy["Bucket"]["Ref"] == name;
            let (_, policy) = policies.iter().find(own).ok_or(name).expect("it has a policy");
            let policy = policy["PolicyDocument"]["Statement"].to_string();
            assert!(
                policy.contains("\"Deny\"") && policy.contains("aws:SecureTransport"),
                "{name}: {policy}"
            );
        }
    }
}

#[test]
fn messages_of_jobs_are_encrypted_and_requests_that_nobody_can_do_are_told() {
    let template = parsed_file(CONTRACT);
    let queues = resources(&template, "AWS::SQS::Queue");
    assert_eq!(queues.len(), 3);
    for (name, queue) in &queues {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
    }
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let watched: Vec<&Value> = alarms.iter().map(|(_, alarm)| &alarm["MetricName"]).collect();
    assert_eq!(watched, ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"]);
}

/// Without the attachment of the gateway, AWS refuses a load balancer that faces the internet.
#[test]
fn what_needs_the_internet_is_made_after_the_way_there() {
    let template = parsed();
    let resources = &template["Resources"];
    for (name, needs) in [("LoadBalancer", "Network"), ("BalancerGroup", "Network")] {
        let depends = resources[name]["DependsOn"].to_string();
        assert!(depends.contains(&format!("\"{needs}\"")), "{name}: {depends}");
    }
    let after = resources["Network"]["Metadata"]["After"].to_string();
    for part in ["InternetGatewayAttachment", "PublicRoute", "BalancerSubnetARoutes"] {
        assert!(after.contains(&format!("\"{part}\"")), "{part}: {after}");
    }
}

/// A listener with TLS offers HTTP/2, which balancers take on the same port.
#[test]
fn http2_is_offered_with_tls_and_nothing_without() {
    let template = parsed();
    let offered = &template["Resources"]["Listener"]["Properties"]["AlpnPolicy"]["Fn::If"];
    assert_eq!(offered[0], "WithTls");
    assert_eq!(offered[1], serde_json::json!(["HTTP2Preferred"]));
}

#[test]
fn there_is_an_alarm_on_errors_refusals_a_full_fleet_full_disks_and_jobs() {
    let template = parsed();
    let filters = resources(&template, "AWS::Logs::MetricFilter");
    let told: Vec<&str> = filters
        .iter()
        .filter_map(|(_, filter)| filter["MetricTransformations"][0]["MetricName"].as_str())
        .chain(["disk_used_percent"])
        .collect();
    let alarms: Vec<String> = resources(&template, "AWS::CloudWatch::Alarm")
        .iter()
        .map(|(_, alarm)| alarm.to_string())
        .collect();
    for metric in [
        "errors",
        "requests",
        "sheds",
        "fleet_full",
        "disk_used_percent",
        "jobs_dead",
        "jobs_overdue",
    ] {
        assert!(told.contains(&metric), "{metric}: {told:?}");
        let is_watched = |alarm: &String| alarm.contains(&format!("\"MetricName\":\"{metric}\""));
        assert!(alarms.iter().any(is_watched), "no alarm looks at {metric}");
    }
    // What the filters look for is what the balancer says.
    for (filter, file) in [
        ("FleetFilter", "lb/proxy/src/loops/fleet_full.rs"),
        ("DeadJobsFilter", "lb/proxy/src/jobs.rs"),
        ("OldJobsFilter", "lb/proxy/src/jobs/tend.rs"),
    ] {
        let pattern = &template["Resources"][filter]["Properties"]["FilterPattern"];
        let said = pattern.as_str().expect("a text").trim_matches('"');
        assert!(read(file).contains(said), "{said}");
    }
}
