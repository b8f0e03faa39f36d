//! What CloudWatch is asked and told.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use weighbridge_aws::cloudwatch::CloudWatch;
use weighbridge_proxy::fleet::machines::{CpuMonitor as _, MachineError};

use crate::emulators::Emulator;
use crate::{aws, sdk_config};

/// Says that the CPU of `instance` was busy by so many percent, `age` ago.
async fn put(client: &Client, (instance, percent): (&str, f64), age: Duration) {
    let instance = Dimension::builder().name("InstanceId").value(instance).build();
    let datum = MetricDatum::builder()
        .metric_name("CPUUtilization")
        .dimensions(instance)
        .value(percent)
        .timestamp(DateTime::from(SystemTime::now() - age))
        .build();
    let put = client.put_metric_data().namespace("AWS/EC2").metric_data(datum);
    put.send().await.expect("it is taken");
}

#[tokio::test]
async fn the_newest_datum_of_each_instance_is_told_unless_it_is_old() {
    let ministack = Emulator::ministack();
    let client = Client::new(&sdk_config(&ministack.url()).await);
    let minutes = |n| Duration::from_mins(n);
    put(&client, ("i-a", 20.0), minutes(9)).await;
    put(&client, ("i-a", 90.0), minutes(2)).await;
    put(&client, ("i-a", 30.0), minutes(5)).await;
    put(&client, ("i-b", 12.5), minutes(12)).await;
    put(&client, ("i-old", 50.0), minutes(20)).await;
    put(&client, ("i-other", 70.0), minutes(1)).await;
    let ids = ["i-none", "i-b", "i-old", "i-a"].map(str::to_owned);
    let told =
        CloudWatch::new(&aws(&ministack.url()).await).utilization(&ids).await.expect("it answers");
    assert_eq!(told, [("i-b".to_owned(), 0.125), ("i-a".to_owned(), 0.9)]);
}

#[tokio::test]
async fn more_instances_than_one_call_takes_are_told_too() {
    let ministack = Emulator::ministack();
    let client = Client::new(&sdk_config(&ministack.url()).await);
    let ids: Vec<String> = (0..501).map(|n| format!("i-{n}")).collect();
    for id in [&ids[0], &ids[499], &ids[500]] {
        put(&client, (id, 40.0), Duration::from_mins(1)).await;
    }
    let told =
        CloudWatch::new(&aws(&ministack.url()).await).utilization(&ids).await.expect("it answers");
    let told: Vec<&str> = told.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(told, ["i-0", "i-499", "i-500"]);
}

#[tokio::test]
async fn an_absent_cloudwatch_is_an_error_that_may_pass() {
    let ministack = Emulator::ministack();
    let cloudwatch = CloudWatch::new(&aws(&ministack.url()).await);
    ministack.kill();
    let error = cloudwatch.utilization(&["i-a".to_owned()]).await.expect_err("nobody listens");
    assert!(matches!(error, MachineError::Unavailable(_)), "{error:?}");
}
