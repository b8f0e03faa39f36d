//! How busy the CPUs of instances are, as the hypervisor sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_smithy_types::DateTime;

use weighbridge_proxy::fleet::machines::{CpuMonitor, MachineError};

use crate::{Aws, answers};

/// Instances that are asked for in one call, as many as it takes.
const QUERIES_MAX: usize = 500;

/// Seconds that one datum stands for. With basic monitoring there is one every five minutes.
const PERIOD_SECS: i32 = 60;

/// Data older than this say nothing.
const AGE_MAX: Duration = Duration::from_mins(15);

/// The longest that one call takes, each try for itself.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks CloudWatch. See the module.
pub struct CloudWatch {
    client: Client,
}

impl CloudWatch {
    /// A client.
    pub fn new(aws: &Aws) -> Arc<CloudWatch> {
        let config = aws_sdk_cloudwatch::config::Builder::from(aws.config())
            .retry_config(answers::retries())
            .timeout_config(answers::timeouts(TIMEOUT));
        Arc::new(CloudWatch { client: Client::from_conf(config.build()) })
    }

    async fn ask(&self, ids: &[String]) -> Result<Vec<(String, f64)>, MachineError> {
        let now = SystemTime::now();
        let asked = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(ids.iter().enumerate().map(query).collect()))
            .start_time(DateTime::from(now - AGE_MAX))
            .end_time(DateTime::from(now));
        let mut pages = asked.into_paginator().send();
        // Data of one instance may lie on several pages.
        let mut newest: BTreeMap<String, (DateTime, f64)> = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let results = page.map_err(answers::failure)?.metric_data_results.unwrap_or_default();
            for (name, at, percent) in results.iter().flat_map(data) {
                let newest = newest.entry(name.to_owned()).or_insert((at, percent));
                if newest.0 < at {
                    *newest = (at, percent);
                }
            }
        }
        let told = ids.iter().enumerate().filter_map(|(nth, id)| {
            newest.get(&name(nth)).map(|(_, percent)| (id.clone(), percent / 100.0))
        });
        Ok(told.collect())
    }
}

#[async_trait]
impl CpuMonitor for CloudWatch {
    async fn utilization(&self, ids: &[String]) -> Result<Vec<(String, f64)>, MachineError> {
        let mut told = Vec::new();
        for ids in ids.chunks(QUERIES_MAX) {
            told.extend(self.ask(ids).await?);
        }
        Ok(told)
    }
}

fn query((nth, id): (usize, &String)) -> MetricDataQuery {
    let instance = Dimension::builder().name("InstanceId").value(id).build();
    let metric = Metric::builder()
        .namespace("AWS/EC2")
        .metric_name("CPUUtilization")
        .dimensions(instance)
        .build();
    let stat = MetricStat::builder().metric(metric).period(PERIOD_SECS).stat("Average").build();
    MetricDataQuery::builder().id(name(nth)).metric_stat(stat).build()
}

/// What a query is called, by which its result is known.
fn name(nth: usize) -> String {
    format!("cpu{nth}")
}

/// What `result` tells: of which query, when, and percent.
fn data(result: &MetricDataResult) -> impl Iterator<Item = (&str, DateTime, f64)> {
    let data = result.timestamps().iter().zip(result.values());
    let name = result.id();
    data.filter_map(move |(at, percent)| Some((name?, *at, *percent)))
}
