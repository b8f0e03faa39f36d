//! The stack created and deleted, and the configuration that its balancers get.
//!
//! Not shown here, as moto has none of it: alarms (its CloudFormation knows no
//! `AWS::CloudWatch::Alarm`), signals of instances, rolling updates (its updates of a stack with
//! conditions fail), and whether AWS's IAM grants what the policies say.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::shell::{Operator, Said, WEIGHBRIDGE, empty_zip, run};
use crate::template::for_moto;

const STACK: [&str; 2] = ["--stack-name", "wb"];

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

/// Names of the stack's resources, each with what it is at moto.
fn resources(operator: &Operator) -> String {
    let mut arguments = vec!["cloudformation", "list-stack-resources"];
    arguments.extend(STACK);
    let pairs = "StackResourceSummaries[?LogicalResourceId].[LogicalResourceId,PhysicalResourceId]";
    arguments.extend(["--query", pairs]);
    operator.aws(&arguments)
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

/// What `weighbridge check` says of the configuration within the user data of a balancer.
fn check(operator: &Operator, user_data: &str) -> Said {
    let (_, rest) = user_data.split_once("<<'TOML'\n").expect("a here document");
    let (config, rest) = rest.split_once("TOML\n").expect("its end");
    assert_eq!(rest.trim(), "", "nothing follows");
    let file = operator.file("weighbridge.toml");
    std::fs::write(&file, config).expect("it can be written");
    run(Command::new(WEIGHBRIDGE).arg("check").arg(file))
}

#[test]
fn the_stack_is_created_and_deleted() {
    let operator = Operator::new();
    create(&operator, &["Name=wb".to_owned(), "WorkersMax=7".to_owned()]);

    let made = resources(&operator);
    for name in ["Vpc", "BalancerGroup", "ObservationsTable", "WorkerLaunchTemplate", "FleetPolicy"]
    {
        assert!(made.contains(&format!("{name}\t")), "{name}: {made}");
    }
    for absent in ["BlurFunction", "GroupPolicy", "BalancerSsh", "BalancerAdmin"] {
        assert!(!made.contains(absent), "{absent}: {made}");
    }
    let user_data = user_data(&operator, "wb-balancer");
    assert!(user_data.contains("kind = \"ec2\""), "{user_data}");
    assert!(user_data.contains("hosts_max = 7\n"), "{user_data}");
    check(&operator, &user_data).ok();
    let group = operator.aws(&[
        "autoscaling",
        "describe-auto-scaling-groups",
        "--query",
        "AutoScalingGroups[].[AutoScalingGroupName,MinSize,DesiredCapacity]",
    ]);
    assert_eq!(group, "wb-balancer\t2\t2");
    let url = described(&operator, "Stacks[0].Outputs[?OutputKey=='Url'].OutputValue");
    assert!(url.starts_with("http://") && url.ends_with(":80"), "{url}");

    let mut arguments = vec!["cloudformation", "delete-stack"];
    arguments.extend(STACK);
    operator.aws(&arguments);
    assert_eq!(operator.aws(&["cloudformation", "describe-stacks", "--query", "Stacks"]), "");
    let names = "Vpcs[?!IsDefault].VpcId";
    assert_eq!(operator.aws(&["ec2", "describe-vpcs", "--query", names]), "");
    // What was learned stays.
    let tables = operator.aws(&["dynamodb", "list-tables", "--query", "TableNames"]);
    assert_eq!(tables, "wb-observations\twb-state");
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
            "Name=wb".to_owned(),
            format!("VpcId={vpc}"),
            format!("BalancerSubnetIds={subnets}"),
            format!("WorkerSubnetIds={subnets}"),
            "FleetAutoScalingGroup=mine".to_owned(),
            format!("FleetSecurityGroupId={group}"),
            "LambdaBucket=functions".to_owned(),
            "LambdaKey=f.zip".to_owned(),
            "CreateTables=false".to_owned(),
            "SshCidr=203.0.113.0/24".to_owned(),
            "AdminCidr=10.0.0.0/8".to_owned(),
        ],
    );

    let made = resources(&operator);
    for name in ["GroupPolicy", "FunctionsPolicy", "BalancerSsh", "BalancerAdmin", "BlurFunction"] {
        assert!(made.contains(&format!("{name}\t")) || made.contains(name), "{name}: {made}");
    }
    for absent in ["Vpc\t", "FleetPolicy", "WorkerLaunchTemplate", "ObservationsTable"] {
        assert!(!made.contains(absent), "{absent}: {made}");
    }
    let user_data = user_data(&operator, "wb-balancer");
    assert!(user_data.contains("kind = \"asg\""), "{user_data}");
    assert!(user_data.contains("group = \"mine\""), "{user_data}");
    assert!(user_data.contains("--functions \"wb\""), "{user_data}");
    check(&operator, &user_data).ok();
    let functions = operator.aws(&[
        "lambda",
        "list-functions",
        "--query",
        "Functions[].[FunctionName,Environment.Variables.WEIGHBRIDGE_OPERATION]",
    ]);
    assert_eq!(functions, "wb-blur\tblur\nwb-enhance\tenhance\nwb-raytrace\traytrace");
}
