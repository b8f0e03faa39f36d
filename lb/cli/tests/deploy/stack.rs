//! The stack created and deleted, and the configuration that its balancers get.
//!
//! Not shown here, as moto has none of it: alarms (its CloudFormation knows no
//! `AWS::CloudWatch::Alarm`), signals of instances, rolling updates (its updates of a stack with
//! conditions fail), and whether AWS's IAM grants what the policies say.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::boot::Vm;
use crate::emulators::CREDENTIALS;
use crate::shell::{Operator, WEIGHBRIDGE, empty_zip, repository};
use crate::template::{CONTRACT, JOBS, for_moto};

const STACK: [&str; 2] = ["--stack-name", "own"];

/// Creates the stack with `parameters`, each `NAME=VALUE`.
#[track_caller]
fn create(operator: &Operator, parameters: &[String]) {
    let file = operator.file("template.yaml");
    std::fs::write(&file, for_moto()).expect("it can be written");
    let body = format!("file://{}", file.display());
    let image = format!("ParameterKey=ImageId,ParameterValue={}", operator.image());
    let parameters = parameters.iter().map(|parameter| {
        let (name, value) = parameter.split_once('=').expect("NAME=VALUE");
        format!("ParameterKey={name},ParameterValue={}", value.replace(',', "\\,"))
    });
    let parameters: Vec<String> = parameters.chain([image]).collect();
    let mut arguments = vec!["cloudformation", "create-stack", "--capabilities", "CAPABILITY_IAM"];
    arguments.extend(STACK);
    arguments.extend(["--template-body", &body, "--parameters"]);
    arguments.extend(parameters.iter().map(String::as_str));
    operator.aws(&arguments);
    let status = described(operator, "Stacks[0].StackStatus");
    assert_eq!(status, "CREATE_COMPLETE");
}

fn described(operator: &Operator, query: &str) -> String {
    let mut arguments = vec!["cloudformation", "describe-stacks"];
    arguments.extend(STACK);
    arguments.extend(["--query", query]);
    operator.aws(&arguments)
}

/// Names of the stack's resources.
fn resources(operator: &Operator) -> Vec<String> {
    let mut arguments = vec!["cloudformation", "list-stack-resources"];
    arguments.extend(STACK);
    let names = "StackResourceSummaries[?LogicalResourceId].[LogicalResourceId]";
    arguments.extend(["--query", names]);
    operator.aws(&arguments).lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_made(operator: &Operator, there: &[&str], absent: &[&str]) {
    let made = resources(operator);
    let is_made = |name: &&str| made.iter().any(|other| other == name);
    assert!(there.iter().all(is_made), "{there:?} of {made:?}");
    assert!(!absent.iter().any(is_made), "{absent:?} of {made:?}");
}

/// The user data of the newest version of the launch template `name`.
fn user_data(operator: &Operator, name: &str) -> String {
    let text = operator.aws(&[
        "ec2",
        "describe-launch-template-versions",
        "--launch-template-name",
        name,
        "--query",
        "LaunchTemplateVersions[-1].LaunchTemplateData.UserData",
    ]);
    let bytes = STANDARD.decode(text).expect("it is base64");
    String::from_utf8(bytes).expect("it is text")
}

/// Boots a VM with the configuration within the user data of a balancer, which checks it.
#[track_caller]
fn boots(user_data: &str, functions: &[&str]) {
    let (_, rest) = user_data.split_once("<<'TOML'\n").expect("a here document");
    let (config, rest) = rest.split_once("TOML\n").expect("its end");
    assert_eq!(rest.trim(), "", "nothing follows");
    let arguments = [&["balancer"], functions].concat();
    Vm::new().boot(&arguments, config).ok();
}

#[test]
fn the_stack_is_created_and_deleted() {
    let operator = Operator::new();
    create(&operator, &["Name=own".to_owned(), "WorkersMax=7".to_owned()]);

    assert_made(
        &operator,
        &["Vpc", "BalancerGroup", "ObservationsTable", "WorkerLaunchTemplate", "FleetPolicy"],
        &["BlurFunction", "GroupPolicy", "MakeTablesPolicy", "BalancerAdmin"],
    );
    let user_data = user_data(&operator, "own-balancer");
    assert!(user_data.contains("kind = \"ec2\""), "{user_data}");
    assert!(user_data.contains("hosts_max = 7\n"), "{user_data}");
    assert!(user_data.contains("instance_types = []\n"), "{user_data}");
    boots(&user_data, &[]);
    let group = operator.aws(&[
        "autoscaling",
        "describe-auto-scaling-groups",
        "--query",
        "AutoScalingGroups[].[AutoScalingGroupName,MinSize,DesiredCapacity]",
    ]);
    assert_eq!(group, "own-balancer\t2\t2");
    let url = described(&operator, "Stacks[0].Outputs[?OutputKey=='Url'].OutputValue");
    let names = ["elbv2", "describe-load-balancers", "--query", "LoadBalancers[].DNSName"];
    assert_eq!(url, format!("http://{}:80", operator.aws(&names)));

    let mut arguments = vec!["cloudformation", "delete-stack"];
    arguments.extend(STACK);
    operator.aws(&arguments);
    assert_eq!(operator.aws(&["cloudformation", "describe-stacks", "--query", "Stacks"]), "");
    let names = "Vpcs[?!IsDefault].VpcId";
    assert_eq!(operator.aws(&["ec2", "describe-vpcs", "--query", names]), "");
    // What was learned stays.
    let tables = operator.aws(&["dynamodb", "list-tables", "--query", "TableNames"]);
    assert_eq!(tables, "own-observations\town-state");
}

#[test]
fn jobs_get_a_table_that_the_balancer_takes_and_a_bucket() {
    let operator = Operator::new();
    let parameters = ["Name=own", "Jobs=true", "JobsQueues=true"].map(str::to_owned);
    create(&operator, &parameters);
    assert_made(&operator, &["JobsPolicy", "QueuesPolicy"], &[]);
    let body = format!("file://{}", repository(JOBS).display());
    let create = ["cloudformation", "create-stack", "--stack-name", "own-jobs", "--template-body"];
    let parameters = ["Name", "JobsQueues"].into_iter().zip(["own", "true"]);
    let parameters: Vec<String> = parameters
        .map(|(name, value)| format!("ParameterKey={name},ParameterValue={value}"))
        .collect();
    let parameters = parameters.iter().map(String::as_str);
    let arguments = create.into_iter().chain([&*body, "--parameters"]).chain(parameters);
    operator.aws(&arguments.collect::<Vec<&str>>());
    let queues = "length(StackResourceSummaries[?ResourceType=='AWS::SQS::Queue'])";
    let list = ["cloudformation", "list-stack-resources", "--stack-name", "own-jobs", "--query"];
    assert_eq!(operator.aws(&[&list[..], &[queues]].concat()), "4");
    let user_data = user_data(&operator, "own-balancer");
    let bucket = operator.aws(&["s3api", "list-buckets", "--query", "Buckets[].Name"]);
    assert!(bucket.starts_with("own-jobs-"), "{bucket}");
    assert!(user_data.contains(&format!("bucket = \"{bucket}\"\n")), "{user_data}");
    assert!(user_data.contains("queue = \"own-jobs\"\n"), "{user_data}");
    assert!(user_data.contains("[jobs]\nenabled = true\nkind = \"aws\"\n"), "{user_data}");
    boots(&user_data, &[]);
    // A balancer refuses a table that has not what it needs.
    let file = operator.file("jobs.toml");
    let config = "fleet.kind = \"static\"\nfleet.static.hosts = [{ address = \"127.0.0.1:1\" }]\n\
         [jobs]\nenabled = true\nkind = \"aws\"\naws = { table = \"own\", bucket = \"";
    std::fs::write(&file, format!("{config}{bucket}\" }}\n")).expect("it can be written");
    let mut serving = Command::new(WEIGHBRIDGE)
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "-c"])
        .args([&file, Path::new("--data-dir"), &operator.file("data")])
        .envs(CREDENTIALS)
        .env("AWS_ENDPOINT_URL", operator.moto.url())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(serving.stdout.take().expect("it is piped"));
    let is_up = said.lines().map_while(Result::ok).any(|line| line.contains("requests  http://"));
    serving.kill().and_then(|()| serving.wait()).expect("it is ours");
    assert!(is_up, "it takes the table");
}

/// Those that `imagenet.toml` names.
#[test]
fn a_contract_gets_its_queues_its_buckets_and_the_rights_to_them() {
    let operator = Operator::new();
    let trust = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let role = ["--role-name", "balancer", "--assume-role-policy-document", trust];
    operator.aws(&[&["iam", "create-role"][..], &role].concat());
    let names = [
        ("RequestQueueName", "project1-requests"),
        ("AnswerQueueName", "project1-answers"),
        ("InputBucketName", "project1inputimages"),
        ("OutputBucketName", "project1output"),
        ("RoleName", "balancer"),
    ];
    let file = std::fs::read_to_string(repository("deploy/files/imagenet.toml"));
    let file = file.expect("it is there");
    for (_, name) in &names[..4] {
        assert!(file.contains(&format!("\"{name}\"")), "{name}");
    }
    let parameters: Vec<String> = names
        .iter()
        .map(|(name, value)| format!("ParameterKey={name},ParameterValue={value}"))
        .collect();
    let body = format!("file://{}", repository(CONTRACT).display());
    let create = ["cloudformation", "create-stack", "--stack-name", "contract"];
    let with = ["--capabilities", "CAPABILITY_IAM", "--template-body", &body, "--parameters"];
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    operator.aws(&[&create[..], &with, &parameters].concat());
    let queues = "StackResourceSummaries[?ResourceType=='AWS::SQS::Queue'].PhysicalResourceId";
    let list = ["cloudformation", "list-stack-resources", "--stack-name", "contract", "--query"];
    let queues = operator.aws(&[&list[..], &[queues]].concat());
    for queue in ["project1-requests", "project1-requests-dead", "project1-answers"] {
        assert!(queues.split('\t').any(|url| url.ends_with(&format!("/{queue}"))), "{queues}");
    }
    let buckets = operator.aws(&["s3api", "list-buckets", "--query", "Buckets[].Name"]);
    assert_eq!(buckets, "project1inputimages\tproject1output");
    let policy = ["--role-name", "balancer", "--policy-name", "contract-project1-requests"];
    let policy = operator.aws(&[&["iam", "get-role-policy"][..], &policy].concat());
    assert!(policy.contains("sqs:ReceiveMessage") && policy.contains("s3:PutObject"), "{policy}");
}

#[test]
fn the_stack_takes_an_existing_network_and_group_and_functions() {
    let operator = Operator::new();
    let vpc = operator.aws(&["ec2", "describe-vpcs", "--query", "Vpcs[0].VpcId"]);
    let subnets = operator.aws(&["ec2", "describe-subnets", "--query", "Subnets[:2].SubnetId"]);
    let subnets = subnets.replace('\t', ",");
    let group =
        operator.aws(&["ec2", "describe-security-groups", "--query", "SecurityGroups[0].GroupId"]);
    operator.aws(&["s3", "mb", "s3://functions"]);
    let zip = operator.file("functions.zip");
    empty_zip(&zip);
    operator.aws(&["s3", "cp", &zip.display().to_string(), "s3://functions/f.zip"]);

    create(
        &operator,
        &[
            "Name=own".to_owned(),
            format!("VpcId={vpc}"),
            format!("BalancerSubnetIds={subnets}"),
            format!("WorkerSubnetIds={subnets}"),
            "FleetAutoScalingGroup=mine".to_owned(),
            format!("FleetSecurityGroupId={group}"),
            "LambdaBucket=functions".to_owned(),
            "LambdaKey=f.zip".to_owned(),
            "CreateTables=false".to_owned(),
            "AdminCidr=10.0.0.0/8".to_owned(),
        ],
    );

    assert_made(
        &operator,
        &["GroupPolicy", "FunctionsPolicy", "MakeTablesPolicy", "BalancerAdmin", "BlurFunction"],
        &["Vpc", "FleetPolicy", "WorkerLaunchTemplate", "ObservationsTable"],
    );
    let user_data = user_data(&operator, "own-balancer");
    assert!(user_data.contains("kind = \"asg\""), "{user_data}");
    assert!(user_data.contains("group = \"mine\""), "{user_data}");
    assert!(user_data.contains("--functions \"own\""), "{user_data}");
    boots(&user_data, &["--functions", "own"]);
    let functions = operator.aws(&[
        "lambda",
        "list-functions",
        "--query",
        "Functions[].[FunctionName,Environment.Variables.WEIGHBRIDGE_OPERATION]",
    ]);
    assert_eq!(functions, "own-blur\tblur\nown-enhance\tenhance\nown-raytrace\traytrace");
}

#[test]
fn spot_workers_are_of_several_types_and_look_for_their_notice() {
    let operator = Operator::new();
    // moto takes the default of a list for a text.
    let types = "SpotInstanceTypes=c6i.large,m5.large";
    create(&operator, &["Name=own".to_owned(), "WorkerMarket=spot".to_owned(), types.to_owned()]);
    let balancer = user_data(&operator, "own-balancer");
    let expected = "instance_types = [\"c6i.large\", \"m5.large\"]\n";
    assert!(balancer.contains(expected), "{balancer}");
    boots(&balancer, &[]);
    let worker = user_data(&operator, "own-worker");
    assert!(worker.ends_with("boot worker --spot-notices\n"), "{worker}");
}
