//! The messages of `externalscaler.proto`, as KEDA has them (package `externalscaler`). Numbers are
//! those of its fields; a test speaks to the balancer by a client that is made of the file itself.

use std::collections::BTreeMap;

use prost::Message;

/// What is to be scaled.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ScaledObjectRef {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// Where it is.
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
    /// What its trigger says, besides the scaler's address.
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) scaler_metadata: BTreeMap<String, String>,
}

/// Whether there is anything to do.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct IsActiveResponse {
    #[prost(bool, tag = "1")]
    pub(super) result: bool,
}

/// Which metrics there are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetMetricSpecResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) metric_specs: Vec<MetricSpec>,
}

/// A metric, and what of it one pod is for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricSpec {
    #[prost(string, tag = "1")]
    pub(super) metric_name: String,
    /// For versions of KEDA that know no fractions.
    #[prost(int64, tag = "2")]
    pub(super) target_size: i64,
    #[prost(double, tag = "3")]
    pub(super) target_size_float: f64,
}

/// Asks for a metric.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct GetMetricsRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) scaled_object_ref: Option<ScaledObjectRef>,
    #[prost(string, tag = "2")]
    pub(super) metric_name: String,
}

/// What the metrics are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetMetricsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) metric_values: Vec<MetricValue>,
}

/// What one metric is.
#[expect(clippy::struct_field_names, reason = "they are KEDA's")]
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricValue {
    #[prost(string, tag = "1")]
    pub(super) metric_name: String,
    /// For versions of KEDA that know no fractions.
    #[prost(int64, tag = "2")]
    pub(super) metric_value: i64,
    #[prost(double, tag = "3")]
    pub(super) metric_value_float: f64,
}
