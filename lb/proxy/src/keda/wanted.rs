//! What KEDA is told of a fleet.

use std::sync::Arc;

use tonic::Status;

use super::messages::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use crate::decide::Decide;
use crate::front::Front;

/// The only metric: the hosts that are wanted, as the scale plan has them, a whole number within
/// `scale.hosts_min` and `scale.hosts_max`.
pub(super) const METRIC: &str = "weighbridge-hosts-wanted";

/// What of the metadata says which fleet; that of `[fleet]` where nothing does.
const FLEET: &str = "fleet";

/// The fleet that is asked about.
pub(super) fn fleet<'f>(
    front: &'f Front,
    asked: &ScaledObjectRef,
) -> Result<&'f Arc<Decide>, Status> {
    let name = asked.scaler_metadata.get(FLEET).map_or("main", String::as_str);
    let nth = front.config.fleet_names().position(|known| known == name);
    let fleet = nth.and_then(|nth| front.dispatch.fleets.all().get(nth));
    fleet.ok_or_else(|| {
        let expected = "expected `main`, or the NAME of a [fleets.NAME]";
        Status::invalid_argument(format!("there is no fleet `{name}`: {expected}"))
    })
}

/// Whether a fleet has anything to do.
pub(super) fn is_active(fleet: &Decide) -> bool {
    fleet.look(|balancer, _| balancer.has_work())
}

/// Which metrics there are: of [`METRIC`] one a pod.
pub(super) fn spec() -> GetMetricSpecResponse {
    let metric_name = METRIC.to_owned();
    let spec = MetricSpec { metric_name, target_size: 1, target_size_float: 1.0 };
    GetMetricSpecResponse { metric_specs: vec![spec] }
}

/// What the metric is now. Until it is known which hosts there are, nobody is to scale by it.
pub(super) fn metrics(
    front: &Front,
    asked: &GetMetricsRequest,
) -> Result<GetMetricsResponse, Status> {
    let GetMetricsRequest { scaled_object_ref, metric_name } = asked;
    if metric_name != METRIC {
        let detail = format!("there is no metric `{metric_name}`: expected `{METRIC}`");
        return Err(Status::invalid_argument(detail));
    }
    let fleet = fleet(front, &scaled_object_ref.clone().unwrap_or_default())?;
    let wanted = fleet.look(|balancer, _| balancer.hosts_wanted());
    let wanted = wanted.ok_or_else(|| Status::unavailable("no host has been found so far"))?;
    let value = MetricValue {
        metric_name: metric_name.clone(),
        metric_value: i64::try_from(wanted).unwrap_or(i64::MAX),
        metric_value_float: wanted as f64,
    };
    Ok(GetMetricsResponse { metric_values: vec![value] })
}
