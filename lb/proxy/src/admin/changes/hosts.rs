//! Hosts that an operator lets join, drain and come back, and how much they are preferred.
//!
//! ```text
//! POST /fleet/join     {"address": "10.0.0.7:8001", "fleet": "main", "cores": 4}
//! POST /fleet/drain    {"address": "10.0.0.7:8001"}
//! POST /fleet/undrain  {"address": "10.0.0.7:8001"}
//! POST /fleet/weight   {"address": "10.0.0.7:8001", "weight": 0.5}
//! ```
//!
//! What is asked for holds until the balancer ends, and over reloads; a weight for as long as the
//! host is in the fleet.
//!
//! Requests go where they add the fewest seconds: what they wait, what others wait for them, and
//! what they run. On a host of weight `w` a second counts as `1 / w` seconds. Nothing else changes:
//! what is told of waits, and how many hosts are wanted, is as without it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use weighbridge_core::host::{PREFERENCE_MAX, PREFERENCE_MIN};
use weighbridge_core::units::Speed;

use super::super::{Answer, json_answer, refuse};
use crate::answer::Problem;
use crate::config::{FleetIndex, FleetSource, HostAddress, HostTemplate};
use crate::front::Front;
use crate::roster::RosterError;
use crate::timeline::unix_secs;

/// The longest body.
const BYTES_MAX: usize = 4096;

/// For the body to come.
const READ_MAX: Duration = Duration::from_secs(10);

/// The most cores, and the bounds of the speed of one.
const CORES_MAX: u32 = 1024;
const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=100.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    address: HostAddress,
    #[serde(default = "main")]
    fleet: String,
    cores: Option<u32>,
    speed: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    address: HostAddress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weigh {
    address: HostAddress,
    weight: f64,
}

fn main() -> String {
    "main".to_owned()
}

/// Does what `request` asks for.
pub(super) async fn change(front: &Front, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let body = match read(body).await {
        Ok(body) => body,
        Err(problem) => return refuse(&problem),
    };
    let (roster, fleets) = (&front.dispatch.roster, &front.dispatch.fleets);
    let done = match path {
        "/fleet/join" => parse(&body).and_then(|asked| join(front, &asked)),
        "/fleet/drain" => parse(&body).and_then(|Which { address }| {
            roster.hold(&address, fleets).map_err(|error| unknown(&error))?;
            Ok(json!({ "address": address, "phase": "draining" }))
        }),
        "/fleet/weight" => parse(&body).and_then(|asked| weigh(front, &asked)),
        _ => parse(&body).and_then(|Which { address }| {
            roster.release(&address, fleets).map_err(|error| unknown(&error))?;
            Ok(json!({ "address": address, "phase": "starting" }))
        }),
    };
    match done {
        Ok(value) => {
            tracing::info!(path, %value, "an operator has changed a fleet");
            let action = path.trim_start_matches("/fleet/");
            front.ledger.metrics.timeline.changed(unix_secs(), action, "operator");
            json_answer(&value)
        }
        Err(problem) => refuse(&problem),
    }
}

fn join(front: &Front, asked: &Join) -> Result<serde_json::Value, Problem> {
    let nth = front.config.fleet_names().position(|name| name == asked.fleet);
    let fleet = nth.and_then(|nth| front.dispatch.fleets.all().get(nth));
    let (Some(nth), Some(fleet)) = (nth, fleet) else {
        return Err(unknown(&RosterError::NoFleet(asked.fleet.clone())));
    };
    let is_listed = matches!(front.config.fleet.source(), FleetSource::Listed(_));
    if nth == 0 && !is_listed {
        let error = RosterError::NotListed(asked.fleet.clone());
        return Err(Problem::new(StatusCode::CONFLICT, error.to_string()).at("fleet"));
    }
    let default = front.config.discovery.get(nth).map(|discovery| discovery.template.clone());
    let template = template(asked, default.unwrap_or_default())?;
    let index = FleetIndex(nth);
    let is_new = front.dispatch.roster.welcome((index, fleet), template.at(asked.address.clone()));
    Ok(json!({ "address": asked.address, "fleet": asked.fleet, "is_new": is_new }))
}

fn weigh(front: &Front, asked: &Weigh) -> Result<serde_json::Value, Problem> {
    let Weigh { address, weight } = asked;
    if !(PREFERENCE_MIN..=PREFERENCE_MAX).contains(weight) {
        let bounds = format!("expected {PREFERENCE_MIN} to {PREFERENCE_MAX}");
        return Err(invalid("weight", format!("weight is `{weight}`: {bounds}")));
    }
    let preferred = front.dispatch.roster.prefer(address, (*weight, &front.dispatch.fleets));
    preferred.map_err(|error| unknown(&error))?;
    Ok(json!({ "address": address, "weight": weight }))
}

fn template(asked: &Join, default: HostTemplate) -> Result<HostTemplate, Problem> {
    let cores = asked.cores.unwrap_or(default.cores);
    if !(1..=CORES_MAX).contains(&cores) {
        return Err(invalid("cores", format!("cores is `{cores}`: expected 1 to {CORES_MAX}")));
    }
    let speed = match asked.speed {
        None => default.speed,
        Some(speed) => Speed::from_reference_cores(speed)
            .filter(|_| SPEEDS.contains(&speed))
            .ok_or_else(|| invalid("speed", format!("speed is `{speed}`: expected 0.01 to 100")))?,
    };
    Ok(HostTemplate { cores, speed, ..default })
}

async fn read(body: Incoming) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(READ_MAX, Limited::new(body, BYTES_MAX).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body breaks off, or has more than {BYTES_MAX} bytes"),
        )),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly")),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let expected = "expected JSON such as {\"address\": \"10.0.0.7:8001\"}";
        invalid("body", format!("{error}: {expected}"))
    })
}

fn invalid(field: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).at(field)
}

fn unknown(error: &RosterError) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, error.to_string())
}
