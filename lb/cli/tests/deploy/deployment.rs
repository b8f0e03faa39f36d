//! A deployment launched and terminated by the scripts.

use crate::shell::{Operator, empty_zip};
use crate::template::for_moto;

fn operator() -> Operator {
    let mut operator = Operator::new();
    let template = operator.file("weighbridge.yaml");
    std::fs::write(&template, for_moto()).expect("it can be written");
    operator.set("WEIGHBRIDGE_TEMPLATE", template.display().to_string());
    operator.set("WEIGHBRIDGE_NAME", "own");
    operator
}

/// States of the instances that carry the tag `name` with the value `own`.
fn states(operator: &Operator, name: &str) -> String {
    let filter = format!("Name=tag:{name},Values=own");
    let states = "Reservations[].Instances[].State.Name";
    operator.aws(&["ec2", "describe-instances", "--filters", &filter, "--query", states])
}

/// Launches `count` workers as a balancer does: from the stack's template, and no part of the
/// stack.
fn launch_workers(operator: &Operator, image: &str, count: &str) {
    operator.aws(&[
        "ec2",
        "run-instances",
        "--image-id",
        image,
        "--launch-template",
        "LaunchTemplateName=own-worker,Version=$Latest",
        "--count",
        count,
    ]);
    assert_eq!(states(operator, "weighbridge:fleet"), "running\trunning\trunning");
}

#[test]
fn what_is_launched_is_terminated_and_nothing_is_left() {
    let mut operator = operator();
    // What the functions do is shown elsewhere.
    let zip = operator.file("functions.zip");
    empty_zip(&zip);
    operator.set("WEIGHBRIDGE_LAMBDA", zip.display().to_string());
    let image = operator.image();
    let launch = ["--image", &image, "--no-test", "WorkersMax=9"];
    let url = operator.script("launch-deployment.sh", &launch).ok();
    let names = ["elbv2", "describe-load-balancers", "--query", "LoadBalancers[].DNSName"];
    assert_eq!(url, format!("http://{}:80\n", operator.aws(&names)));
    let workers_max = "Stacks[0].Parameters[?ParameterKey=='WorkersMax'].ParameterValue";
    let query = ["cloudformation", "describe-stacks", "--query", workers_max];
    assert_eq!(operator.aws(&query), "9");
    launch_workers(&operator, &image, "3");
    let functions = ["lambda", "list-functions", "--query", "Functions[].FunctionName"];
    assert_eq!(operator.aws(&functions), "own-blur\town-enhance\town-raytrace");

    let unasked = operator.script("terminate-deployment.sh", &[]).failed(1);
    assert!(unasked.contains("use --yes"), "{unasked}");
    for there in ["stacks own\n", "tables own-state\n", "groups own-balancer\n", "buckets own-"] {
        assert!(unasked.contains(there), "{there}: {unasked}");
    }
    assert_eq!(states(&operator, "weighbridge:fleet"), "running\trunning\trunning");

    operator.script("terminate-deployment.sh", &["--yes"]).ok();
    assert_eq!(states(&operator, "weighbridge:fleet"), "terminated\tterminated\tterminated");
    let of_balancers = states(&operator, "weighbridge:name");
    assert_eq!(of_balancers, "terminated\tterminated");
    assert_eq!(operator.aws(&["dynamodb", "list-tables", "--query", "TableNames"]), "");
    assert_eq!(operator.aws(&["logs", "describe-log-groups", "--query", "logGroups"]), "");
    assert_eq!(operator.aws(&["s3api", "list-buckets", "--query", "Buckets"]), "");
    assert_eq!(operator.aws(&functions), "");
    let again = operator.script("terminate-deployment.sh", &["--yes"]);
    assert!(again.err.contains("nothing of own is in us-east-1"), "{}", again.err);
    again.ok();
}

#[test]
fn tables_that_are_kept_are_taken_by_the_next_deployment() {
    let operator = operator();
    let image = operator.image();
    let launch = ["--image", &image, "--no-test"];
    operator.script("launch-deployment.sh", &launch).ok();
    operator.script("terminate-deployment.sh", &["--yes", "--keep-tables"]).ok();
    let tables = ["dynamodb", "list-tables", "--query", "TableNames"];
    assert_eq!(operator.aws(&tables), "own-observations\town-state");

    operator.script("launch-deployment.sh", &launch).ok();
    let create_tables = "Stacks[0].Parameters[?ParameterKey=='CreateTables'].ParameterValue";
    let query = ["cloudformation", "describe-stacks", "--query", create_tables];
    assert_eq!(operator.aws(&query), "false");
    operator.script("terminate-deployment.sh", &["--yes"]).ok();
    assert_eq!(operator.aws(&tables), "");
}

#[test]
fn a_deployment_that_cannot_be_is_refused_before_anything_is_made() {
    let operator = operator();
    let refused = |arguments: &[&str], code, expected: &str| {
        let said = operator.script("launch-deployment.sh", arguments).failed(code);
        assert!(said.contains(expected), "{said}");
    };
    refused(&["WorkersMost=3"], 2, "there is no parameter WorkersMost");
    refused(&["ImageId=ami-1"], 2, "the image is set by --image");
    refused(&["--image", "image"], 2, "is not the id of an image");
    assert_eq!(operator.aws(&["cloudformation", "describe-stacks", "--query", "Stacks"]), "");
    assert_eq!(operator.aws(&["dynamodb", "list-tables", "--query", "TableNames"]), "");
}
