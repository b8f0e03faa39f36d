//! Jobs of several balancers in DynamoDB and S3, and what becomes of them when something dies.

mod animato;
mod outages;
mod sharing;
mod tiers;

use std::net::SocketAddr;

use crate::emulators::{CREDENTIALS, Emulator};
use crate::harness::balancer::{Balancer, Place};
use crate::host::Host;
use crate::service;

/// Where jobs are kept, and how often balancers look at each other's.
const JOBS: &str =
    "kind = \"aws\"\naws.bucket = \"jobs\"\naws.look = \"1s\"\naws.timeout = \"2s\"\n";

/// A roto with the bucket of objects.
fn roto() -> Emulator {
    let roto = Emulator::roto(None);
    roto.make_bucket("jobs");
    roto
}

/// Objects in the bucket.
#[track_caller]
fn objects(roto: &Emulator) -> usize {
    let listed = roto.ask_signed("GET", "/jobs?list-type=2", "");
    assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");
    listed.matches("<Key>").count()
}

/// A folder for a balancer before `hosts`, whose DynamoDB and S3 are at these addresses. `jobs` are
/// further keys of that table.
fn place(hosts: &[&Host], (dynamodb, s3): (&str, &str), jobs: &str) -> Place {
    let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
    let config = service::config(&addresses, "body_bytes = \"1MiB\"\n", &format!("{JOBS}{jobs}"));
    let places = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb), ("AWS_ENDPOINT_URL_S3", s3)];
    Place::new(&config).with(&CREDENTIALS).with(&places)
}

/// Starts a balancer there.
#[track_caller]
fn serve(place: &Place, n_hosts: usize) -> Balancer {
    let balancer = place.serve();
    balancer.has_active(n_hosts);
    balancer
}

/// Has a job accepted by `balancer`. Where it is asked for.
#[track_caller]
fn accept(balancer: &Balancer, target: &str, headers: &[&str], body: &[u8]) -> String {
    let headers = [&["Prefer: respond-async"], headers].concat();
    let accepted = service::ask(balancer.listen, "POST", target, &headers, body);
    assert_eq!(accepted.status, 202, "{}", service::text(&accepted));
    accepted.header("location").expect("a place to ask").to_owned()
}
