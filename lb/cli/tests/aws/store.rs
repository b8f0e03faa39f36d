//! Several balancers on one DynamoDB, and what becomes of their observations when something dies.

mod outages;
mod sharing;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::emulators::CREDENTIALS;
use crate::harness::balancer::{Balancer, Place};
use crate::harness::client::Client;
use crate::harness::eventually;
use crate::harness::requests::Request;

/// Looks at each other's models several times a second, and takes over within seconds.
const CONFIG: &str = "[store]\nkind = \"dynamodb\"\nbatch_age = \"50ms\"\nshare_interval = \"400ms\"\n\
     lease_term = \"6s\"\n[store.dynamodb]\ntimeout = \"1s\"\n[repeats]\nentries_max = 0\n";

const ROUTES: [&str; 3] = ["blur", "enhance", "raytrace"];

/// A folder for a balancer whose DynamoDB is at `url`.
fn place(url: &str) -> Place {
    place_with(CONFIG, url)
}

fn place_with(config: &str, url: &str) -> Place {
    Place::new(config).with(&CREDENTIALS).with(&[("AWS_ENDPOINT_URL_DYNAMODB", url)])
}

/// A request of DynamoDB.
fn request(operation: &str, request: &Value) -> Request {
    Request::post("/", request.to_string())
        .with(&format!("X-Amz-Target: DynamoDB_20120810.{operation}"))
        .with("Content-Type: application/x-amz-json-1.0")
        .with(
            "Authorization: AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0, \
             Credential=test/20260101/us-east-1/dynamodb/aws4_request",
        )
}

/// Rows in the table, by looking at all of them.
#[track_caller]
fn count(dynamodb: SocketAddr) -> usize {
    let mut client = Client::new(dynamodb);
    let (mut rows, mut start) = (0, Value::Null);
    loop {
        let mut scan = json!({ "TableName": "weighbridge-observations", "Select": "COUNT" });
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start;
        }
        let answer = client.ask(&request("Scan", &scan)).expect("it answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = answer.json();
        rows += usize::try_from(found["Count"].as_u64().expect("a number")).expect("a small one");
        start = found["LastEvaluatedKey"].clone();
        if start.is_null() {
            return rows;
        }
    }
}

/// Whether `balancer` has a trained model for every route.
fn has_models(balancer: &Balancer) -> bool {
    let models = balancer.json("/models");
    ROUTES.iter().all(|route| {
        let estimator = models["routes"][route]["estimator"].as_str();
        !matches!(estimator, None | Some("prior" | "running_mean"))
    })
}

fn leads(balancer: &Balancer) -> bool {
    0.5 < balancer.metric("weighbridge_leading", "lease=\"train\"")
}

/// The one of `balancers` that trains.
#[track_caller]
fn leader(balancers: &[&Balancer]) -> usize {
    eventually("one of them trains", || balancers.iter().position(|balancer| leads(balancer)))
}

fn stored(balancer: &Balancer, what: &str) -> usize {
    balancer.metric(&format!("weighbridge_store_{what}"), "") as usize
}
